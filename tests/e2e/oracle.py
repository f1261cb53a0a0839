"""The truth about a house: the sandbox's own books, against the gateway's, against the files on the disk."""

import collections
import functools
import hashlib
import json
from pathlib import Path
from typing import Any

from services.cli import house, postgres
from tests.e2e import waiting


class Books:
    """The sandbox's ledger as it lies on the disk; a house need not run for it."""

    def __init__(self, home: Path) -> None:
        lines = [json.loads(line) for line in (home / "sandbox" / "ledger.jsonl").read_text().splitlines()]
        self.creates = {line["id"]: line for line in lines if line["event"] == "create"}
        self.charges = [line for line in lines if line["event"] == "charge"]
        self.charged_micros = sum(line["micros"] for line in self.charges)

    def check(self, scenes: int) -> None:
        """One create and one charge for each scene, and for each of the gateway's submissions."""
        references = collections.Counter(line["client_ref"] for line in self.creates.values())
        assert set(references.values()) == {1}, f"created more than once: {references.most_common(3)}"
        assert None not in references
        assert len(references) == scenes
        assert collections.Counter(line["id"] for line in self.charges) == dict.fromkeys(self.creates, 1)


async def check(of: house.House) -> Books:
    """Nothing is open, nothing was bought twice, all money is accounted for, every clip is whole."""
    await _drained(of)
    books = Books(of.folder)
    submissions = await rows(of, "provider_gateway", "SELECT * FROM submissions")
    assert not [one for one in submissions if one["state"] != "STORED"]
    books.check(len(submissions))
    assert {line["client_ref"] for line in books.creates.values()} == {one["id"] for one in submissions}
    scenes = collections.Counter((one["production_id"], one["scene_id"]) for one in submissions)
    assert set(scenes.values()) == {1}
    jobs = await rows(of, "job", "SELECT production_id, scene_id, state FROM jobs")
    assert {(job["production_id"], job["scene_id"]) for job in jobs} == set(scenes)
    assert {job["state"] for job in jobs} == {"SUCCEEDED"}
    _check_clips(of, books, submissions)
    await _check_money(of, books)
    return books


def _check_clips(of: house.House, books: Books, submissions: list[Any]) -> None:
    sold = {line["client_ref"]: line["clip_sha256"] for line in books.charges}
    for one in submissions:
        clip = json.loads(one["clip"])
        for media in filter(None, (clip["media"], clip["last_frame"])):
            with (of.folder / "blobs" / media["key"]).open("rb") as file:
                assert hashlib.file_digest(file, "sha256").hexdigest() == media["sha256"], media["key"]
        assert clip["media"]["sha256"] == sold[one["id"]]


async def _check_money(of: house.House, books: Books) -> None:
    (budget,) = await rows(of, "provider_gateway", "SELECT * FROM budgets WHERE currency = 'XTS'")
    kept = (budget["reserved_micros"], budget["spent_micros"], budget["suspense_micros"])
    assert kept == (0, books.charged_micros, 0)
    (sums,) = await rows(
        of,
        "provider_gateway",
        "SELECT sum(available) AS available, sum(reserved) AS reserved, sum(spent) AS spent, sum(suspense) AS suspense"
        " FROM ledger WHERE currency = 'XTS'",
    )
    assert (sums["reserved"], sums["spent"], sums["suspense"]) == kept
    assert sum(sums.values()) == 0


async def _drained(of: house.House) -> None:
    """Return once every event is said. An event that was given up fails at once."""
    for service in house.DATABASES:
        await waiting.until(f"an empty outbox of {service}", functools.partial(_is_drained, of, service))
        assert await rows(of, service, "SELECT subject, reason FROM dead_letters") == []


async def _is_drained(of: house.House, service: str) -> bool:
    return await rows(of, service, "SELECT id FROM outbox WHERE published_at IS NULL") == []


async def rows(of: house.House, service: str, query: str) -> list[Any]:
    """What the superuser sees in a service's database."""
    connection = await postgres.connect(of, database=service)
    try:
        found: list[Any] = await connection.fetch(query)
    finally:
        await connection.close()
    return found


async def unknown_outcomes(of: house.House) -> int:
    """How often the gateway has not known what became of an order."""
    query = "SELECT count(*) FROM submission_log WHERE state = 'UNKNOWN'"
    count: int = (await rows(of, "provider_gateway", query))[0][0]
    return count
