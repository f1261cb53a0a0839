"""What a sandbox's own ledger says of what was bought there, compared with what the gateway believes."""

import dataclasses
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from services.cli import check_gateway, exits

_REPEATABLE = ("openai", "google", "runware")
"""Dialects in which the same order under the same key is the same order, and costs nothing."""
_NO_ORDER = frozenset({"PARKED", "CANCELED_FREE"})
_CLOSED_BY_WORD = "OUTCOME_UNKNOWN"

Line = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Ledger:
    """The lines of a sandbox's ledger, by the submission they name; those that name none are under an empty name."""

    posts: Mapping[str, Sequence[Line]]
    creates: Mapping[str, Sequence[Line]]
    charges: Mapping[str, Sequence[Line]]
    done: Mapping[str, Sequence[Line]]


def read(path: Path) -> Ledger:
    """The ledger at this path. Raises Ended when it is none."""
    found: dict[str, dict[str, list[Line]]] = defaultdict(lambda: defaultdict(list))
    try:
        for text in path.read_text().splitlines():
            line = json.loads(text)
            found[line["event"]][line["client_ref"] or ""].append(line)
    except (OSError, ValueError, LookupError) as fault:
        raise exits.Ended(f"{path} cannot be read as a sandbox's ledger: {type(fault).__name__}.") from None
    return Ledger(found["post"], found["create"], found["charge"], found["done"])


def findings(ledger: Ledger, submissions: Mapping[str, check_gateway.Submission]) -> list[check_gateway.Found]:
    """Every promise, and what breaks it."""
    live = Counter(submissions[name].job_id for name in ledger.done if name in submissions)
    return [
        ("every order at the provider is a submission's", *_looked(ledger.creates, submissions, _strange)),
        ("no submission was sent twice", *_looked(ledger.posts, submissions, _sent_twice)),
        ("no submission was made twice", *_looked(ledger.creates, submissions, _twice)),
        ("no submission was charged twice", *_looked(ledger.charges, submissions, _twice)),
        ("no job was made twice", len(live), tuple(job for job, count in live.items() if count > 1)),
        ("what was charged is spent, or held until it is known", *_looked(ledger.charges, submissions, _charged)),
        ("what is spent was charged", len(submissions), tuple(_uncharged(ledger, submissions))),
        ("every clip that was made is stored, or has expired with an alert", *_looked(ledger.done, submissions, _lost)),
        ("what is stored is what was made", *_looked(ledger.done, submissions, _other_clip)),
    ]


def figures(ledger: Ledger) -> dict[str, int]:
    """Counts, and amounts in micros."""
    counted = {"posts": ledger.posts, "creates": ledger.creates, "charges": ledger.charges}
    counts = {f"{name} at the provider": sum(map(len, lines.values())) for name, lines in counted.items()}
    return counts | {"charged by the provider": sum(_micros(lines) for lines in ledger.charges.values())}


def _looked(
    lines: Mapping[str, Sequence[Line]], submissions: Mapping[str, check_gateway.Submission], breaks: Any
) -> tuple[int, tuple[str, ...]]:
    return len(lines), tuple(
        f"{name} {submissions[name].state if name in submissions else 'is no submission'}"
        for name, some in lines.items()
        if breaks(submissions.get(name), some)
    )


def _strange(one: check_gateway.Submission | None, lines: Sequence[Line]) -> bool:
    return one is None or one.state in _NO_ORDER


def _sent_twice(one: check_gateway.Submission | None, lines: Sequence[Line]) -> bool:
    keys = {line["key_sha256"] for line in lines} - {None}  # what was refused unread has none
    again = lines[0]["dialect"] in _REPEATABLE and len(keys) == 1
    return len(lines) > 1 and not again


def _twice(one: check_gateway.Submission | None, lines: Sequence[Line]) -> bool:
    return len(lines) > 1


def _charged(one: check_gateway.Submission | None, lines: Sequence[Line]) -> bool:
    return one is None or not (one.reserved or one.suspense or one.spent == _micros(lines))


def _uncharged(ledger: Ledger, submissions: Mapping[str, check_gateway.Submission]) -> Iterator[str]:
    for name, one in submissions.items():
        if one.spent and name not in ledger.charges and one.reason != _CLOSED_BY_WORD:
            yield f"{name} {one.state}"


def _lost(one: check_gateway.Submission | None, lines: Sequence[Line]) -> bool:
    return one is None or one.state in {*check_gateway.FREE_ENDS, "PARKED", "INTENT", "PROVIDER_FAILED"}


def _other_clip(one: check_gateway.Submission | None, lines: Sequence[Line]) -> bool:
    clip = one.clip if one else None
    return clip is not None and clip["media"]["sha256"] not in {line["clip_sha256"] for line in lines}


def _micros(lines: Sequence[Line]) -> int:
    return sum(int(line["micros"]) for line in lines)
