import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.sandbox import domain, ledger

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def clip(number: int) -> domain.Clip:
    order = domain.Order("openai", "sandbox-reel-1", "A boat.", 2, 320, 180, seed=number, client_ref=f"sub_{number}")
    return domain.Clip(f"video_{number:04x}", order, NOW)


async def write(home: Path, *numbers: int) -> None:
    books = ledger.Ledger(home)
    for number in numbers:
        one = clip(number)
        await books.write([ledger.event(one, "create", NOW)], [ledger.order(one)])
    books.close()


def left(home: Path) -> list[domain.Clip]:
    books = ledger.Ledger(home)
    clips = [one for one, _ in ledger.clips(books)]
    books.close()
    return clips


async def test_what_was_written_is_found_again(tmp_path: Path) -> None:
    await write(tmp_path, 1, 2)
    assert left(tmp_path) == [clip(1), clip(2)]


async def test_a_last_line_that_a_crash_left_unfinished_is_dropped(tmp_path: Path) -> None:
    await write(tmp_path, 1)
    whole = (tmp_path / "ledger.jsonl").read_bytes()
    (tmp_path / "ledger.jsonl").write_bytes(whole + whole[:-20])
    assert left(tmp_path) == [clip(1)]
    assert (tmp_path / "ledger.jsonl").read_bytes() == whole


async def test_an_order_without_its_create_was_never_taken(tmp_path: Path) -> None:
    await write(tmp_path, 1)
    orders = (tmp_path / "orders.jsonl").read_text()
    (tmp_path / "orders.jsonl").write_text(orders + json.dumps(ledger.order(clip(2))) + "\n")
    assert left(tmp_path) == [clip(1)]


async def test_a_broken_line_before_the_last_stops_the_sandbox(tmp_path: Path) -> None:
    await write(tmp_path, 1, 2)
    lines = (tmp_path / "ledger.jsonl").read_text().splitlines()
    (tmp_path / "ledger.jsonl").write_text(f"{lines[0][:-9]}\n{lines[1]}\n")
    with pytest.raises(ledger.LedgerBroken, match=r"Line 1 of .*ledger.jsonl is not JSON"):
        left(tmp_path)


def test_two_sandboxes_cannot_share_a_ledger(tmp_path: Path) -> None:
    books = ledger.Ledger(tmp_path)
    with pytest.raises(ledger.LedgerInUse, match="RUSHES_SANDBOX_HOME"):
        ledger.Ledger(tmp_path)
    books.close()


async def test_writers_at_the_same_time_all_find_their_lines_on_the_disk(tmp_path: Path) -> None:
    books = ledger.Ledger(tmp_path)
    clips = [clip(number) for number in range(200)]

    async def create(one: domain.Clip) -> None:
        await books.write([ledger.event(one, "create", NOW)], [ledger.order(one)])
        assert one.id in (tmp_path / "ledger.jsonl").read_text()

    await asyncio.gather(*(create(one) for one in clips))
    books.close()
    assert sorted(one.id for one in left(tmp_path)) == [one.id for one in clips]


async def test_the_end_of_a_clip_is_found_again(tmp_path: Path) -> None:
    await write(tmp_path, 1, 2, 3)
    books = ledger.Ledger(tmp_path)
    done, cancelled, deleted = clip(1), clip(2), clip(3)
    done.footage = domain.Footage("video_0001", "f00d", 10)
    await books.write([ledger.event(done, "done", NOW), ledger.event(done, "charge", NOW)])
    await books.write([ledger.event(cancelled, "cancel", NOW), ledger.event(deleted, "delete", NOW)])
    assert [(one.id, one.status, sha) for one, sha in ledger.clips(books)] == [
        ("video_0001", "completed", "f00d"),
        ("video_0002", "cancelled", None),
    ]
    books.close()


def test_only_a_charge_carries_money_and_no_line_carries_a_prompt() -> None:
    events = ("create", "done", "charge", "fail", "delete", "cancel")
    assert [ledger.event(clip(1), name, NOW)["micros"] for name in events] == [0, 0, 200_000, 0, 0, 0]
    assert "boat" not in json.dumps(ledger.event(clip(1), "create", NOW))
