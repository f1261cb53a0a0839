"""The outer key is replaced under load, and whoever wraps anew is killed again and again: every key still opens."""

import asyncio
import contextlib
import dataclasses
import datetime
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

from libs import db, ids
from services.cli import environment
from services.provider_gateway import credential_store, credentials, vault

NOW = datetime.datetime(2026, 11, 21, tzinfo=datetime.UTC)
OLD, NEW = {"old": b"o" * 32}, {"new": b"n" * 32}
ROWS, KILLS, LOADERS = 200, 8, 4

# Says a line when a page is written and not committed, then commits it: a kill at a line falls on either side.
_REWRAPPER = """
import asyncio, sys
from libs import db
from services.provider_gateway import credential_store, vault

async def main() -> None:
    safe = vault.Vault({"old": b"o" * 32, "new": b"n" * 32}, "new")
    database, above = db.Database(sys.argv[1], pool=1), ""
    while True:
        async with database.house() as conn:
            above = await credential_store.rewrap_some(conn, safe, above, 5)
            print(above, flush=True)

asyncio.run(main())
"""


def secrets(key: str) -> vault.Secrets:
    return vault.Secrets(vault.Secret(key), vault.Secret(""))


class Load:
    """Keys that are installed, rotated, renamed and opened all the while; it knows what each should be."""

    def __init__(self, database: db.Database) -> None:
        self._database, self.keys, self.looks = database, dict[str, str](), 0
        self.safe, self._over = vault.Vault(OLD | NEW, "old"), False

    async def install(self, number: int) -> None:
        key = f"key-{number}-{random.random()}"
        blank = credentials.Credential(
            id=ids.new("cred"),
            tenant_id="acme",
            endpoint="openai",
            name=ids.new("name"),
            base_url="",
            settings={},
            per_minute=0,
            most_at_once=0,
            key_hint="",
            has_webhook_secret=False,
            sealed=None,
            created_at=NOW,
            rotated_at=NOW,
        )
        new = credentials.sealed(blank, secrets(key), self.safe)
        async with self._database.tenant("acme") as conn:
            assert await credential_store.insert_once(conn, new, new.id, "") is None
        self.keys[new.id] = key

    @contextlib.asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Inside the block, this load."""
        async with asyncio.TaskGroup() as group:
            everything = list(self.keys)
            for first in range(LOADERS):
                group.create_task(self._work(everything[first::LOADERS]))
            yield
            self._over = True

    async def _work(self, mine: list[str]) -> None:
        while not self._over:
            credential_id = random.choice(mine)
            async with self._database.tenant("acme") as conn:
                before = await credential_store.get(conn, "acme", credential_id)
                assert before.sealed
                assert self.safe.open(before.sealed, before.facts).key.reveal() == self.keys[credential_id]
                key = self.keys[credential_id]
                match random.choice(("rotate", "rename", "look")):
                    case "rotate":
                        key = f"key-{random.random()}"
                        after = credentials.sealed(credentials.rotated(before, NOW), secrets(key), self.safe)
                        await credential_store.save(conn, before, after)
                    case "rename":
                        await credential_store.save(conn, before, dataclasses.replace(before, name=ids.new("name")))
            self.keys[credential_id] = key
            self.looks += 1


async def kill_in_the_middle(url: str) -> int:
    """Start to wrap anew, and kill whoever does it after some lines; returns how many there were."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _REWRAPPER, url, env=environment.base(), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    lines = random.randrange(1, 6)
    for _ in range(lines):
        assert await process.stdout.readline()
    await asyncio.sleep(random.random() / 200)
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    return lines


async def counts(database: db.Database) -> Mapping[str, int]:
    async with database.house() as conn:
        return await credential_store.count_by_kek(conn)


async def test_every_key_opens_after_the_outer_key_was_replaced_under_load_and_kills(database: Any) -> None:
    place = await database("provider_gateway")
    load = Load(place.database)
    for number in range(ROWS):
        await load.install(number)
    pages = 0
    async with load.going_on():
        for kill in range(KILLS):
            if kill == KILLS // 2:
                assert (await counts(place.database)).keys() == {"old", "new"}
                load.safe = vault.Vault(OLD | NEW, "new")  # the last process that sealed with the old one is replaced
            pages += await kill_in_the_middle(place.url)
        above = None
        while above != "":
            async with place.database.house() as conn:
                above = await credential_store.rewrap_some(conn, load.safe, above or "", 100)

    assert await counts(place.database) == {"new": ROWS}
    only_new, undecryptable = vault.Vault(NEW, "new"), 0
    for credential_id, key in load.keys.items():
        async with place.database.tenant("acme") as conn:
            found = await credential_store.get(conn, "acme", credential_id)
        assert found.sealed
        undecryptable += only_new.open(found.sealed, found.facts).key.reveal() != key
    print(f"kills={KILLS} pages={pages} looks={load.looks} undecryptable={undecryptable}")  # noqa: T201
    assert undecryptable == 0
    assert load.looks > ROWS
