"""The sheet of docs/ops-score.md adds up, leaves nothing out, and names only what exists."""

import re

from tests.contract import rooms, test_workflows

SHEET = (rooms.ROOT / "docs" / "ops-score.md").read_text()
CHECKS = {"H": 25, "G": 19, "T": 15, "N": 17, "C": 13, "F": 10}
GATES = set(
    "H5 H7 H9 H14 H15 G1 G2 G4 G5 G6 T1 T2 T9 N1 N2 N3 N5 N7 N9 C1 C2 C5 C11 F1 F2 F7".split()  # must be 2
)
LINES = re.findall(r"(?m)^\| ([A-Z]\d+)( ⚑)? \| (\d)(, in work)? \| [^|]+ \| ([^|]+) \|$", SHEET)
POINTS = {check: int(points) for check, _, points, _, _ in LINES}
ABANDONED = re.compile(r"minio/minio|bitnami", re.IGNORECASE)


def test_every_check_has_its_line() -> None:
    assert [check for check, *_ in LINES] == [
        f"{letter}{number}" for letter, most in CHECKS.items() for number in range(1, most + 1)
    ]
    assert {check for check, gate, *_ in LINES if gate} == GATES
    assert set(POINTS.values()) <= {0, 1, 2}


def test_the_sums_are_right() -> None:
    total = f"**Total: {sum(POINTS.values())} of {2 * sum(CHECKS.values())}.**"
    assert total in SHEET, f"should be {total}"
    for letter, most in CHECKS.items():
        of_letter = sum(points for check, points in POINTS.items() if check.startswith(letter))
        assert re.search(rf"\b{letter} {of_letter} of {2 * most}\b", SHEET), f"{letter} has {of_letter}"
    still_open = [check for check, gate, *_ in LINES if gate and POINTS[check] < 2]
    gates = f"**Gates that are open: {len(still_open)} of {len(GATES)}.** {' '.join(still_open) or 'none'}"
    assert f"{gates}\n" in SHEET, f"should be {gates}"


def test_what_verifies_a_check_exists() -> None:
    for check, _, points, _, by in LINES:
        named = re.findall(r"`([^`]+)`", by) if points != "0" else []
        missing = [it for it in named if re.fullmatch(r"[\w.]+(/[\w.-]+)+", it) and not (rooms.ROOT / it).exists()]
        assert not missing, check
        assert {it.removeprefix("make ") for it in named if it.startswith("make ")} <= test_workflows.TARGETS, check
        assert points != "2" or named, f"{check} has two points, and nothing that verifies it"


def test_no_image_of_an_abandoned_project_is_used() -> None:
    places = [rooms.ROOT / "Makefile", *(rooms.ROOT / "deploy").rglob("*"), *rooms.ROOT.glob("*.y*ml")]
    places += (rooms.ROOT / ".github").rglob("*")
    texts = {path: path.read_text(errors="replace") for path in places if path.is_file()}
    assert not [path for path, text in texts.items() if ABANDONED.search(text)]
