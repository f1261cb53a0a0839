"""The checker finds nothing in books that agree, and every breach of a promise by the name of the promise."""

import asyncio
import dataclasses
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services.cli import check, check_gateway, environment, exits, house, postgres
from services.provider_gateway import domain

SUB, OTHER, JOB = f"sub_{'a' * 26}", f"sub_{'b' * 26}", "job_1"
KEY, CLIP = f"t/acme/clips/{SUB}.mp4", b"a clip"
SHA = hashlib.sha256(CLIP).hexdigest()
MEDIA = json.dumps({"key": KEY, "content_type": "video/mp4", "size_bytes": len(CLIP), "sha256": SHA})
STORED = "rushes.provider_gateway.v1.ClipStored"

GATEWAY = f"""
    INSERT INTO budgets (id, tenant_id, currency, limit_micros, reserved_micros, spent_micros, suspense_micros)
    VALUES ('budget_1', 'acme', 'XTS', 500000, 0, 100000, 0);
    INSERT INTO submissions (id, tenant_id, job_id, attempt, production_id, storyboard_id, scene_id, model, endpoint,
      wire_model, spec, last_frame_wanted, traceparent, currency, reserved_micros, cost_micros, state, version, tries,
      provider_job_id, clip, created_at, updated_at, account, budgets)
    VALUES ('{SUB}', 'acme', '{JOB}', 1, 'prod_1', 'sb_1', 'scene_1', 'm', 'e', 'w', '', false, '', 'XTS', 100000,
      100000, 'STORED', 3, 0, 'video_1', '{{"media": {MEDIA}, "last_frame": null}}', now() - interval '1 hour',
      now() - interval '1 hour', 'endpoint:e', '{{budget_1}}');
    INSERT INTO ledger (id, tenant_id, currency, submission_id, kind, available, reserved, spent, suspense, at) VALUES
      ('entry_1', 'acme', 'XTS', '{SUB}', 'reserve', -100000, 100000, 0, 0, now()),
      ('entry_2', 'acme', 'XTS', '{SUB}', 'commit', 0, -100000, 100000, 0, now());
    INSERT INTO submission_log (submission_id, version, tenant_id, state) VALUES
      ('{SUB}', 2, 'acme', 'SENDING'), ('{SUB}', 3, 'acme', 'ACCEPTED');
    UPDATE submissions SET version = 6;
    INSERT INTO submission_log (submission_id, version, tenant_id, state) VALUES
      ('{SUB}', 4, 'acme', 'PROVIDER_DONE'), ('{SUB}', 5, 'acme', 'FETCHING'), ('{SUB}', 6, 'acme', 'STORED');
    INSERT INTO evidence (id, submission_id, tenant_id, kind, provider_job_id, note, at) VALUES
      ('evd_1', '{SUB}', 'acme', 'ANSWER', 'video_1', '', now());
    INSERT INTO outbox (id, subject, payload, headers, created_at, published_at)
    VALUES ('evt_1', '{STORED}', '', '{{}}', now() - interval '1 hour', now() - interval '1 hour');
"""
JOBS = f"""
    INSERT INTO productions (id, tenant_id, request_id, request_digest, storyboard_id, revision, title, quote_id,
      currency, most_micros, state, version, film_id, created_at, updated_at)
    VALUES ('prod_1', 'acme', 'r', '', 'sb_1', 1, 't', 'q', 'XTS', 0, 'COMPILING', 1, '', now(),
      now() - interval '1 hour');
    INSERT INTO jobs (id, tenant_id, production_id, scene_id, scene_number, scene_title, seam, spec, last_frame_wanted,
      currency, quoted_micros, state, attempt, submission_state, submission_version, changed_in, created_at, updated_at,
      ended_at)
    VALUES ('{JOB}', 'acme', 'prod_1', 'scene_1', 1, 't', 1, '', false, 'XTS', 0, 'SUCCEEDED', 1, 'STORED', 6, 1, now(),
      now() - interval '1 hour', now());
    INSERT INTO takes (id, tenant_id, job_id, production_id, scene_id, clip, picked, created_at)
    VALUES ('take_1', 'acme', '{JOB}', 'prod_1', 'scene_1', '{MEDIA}', true, now());
    INSERT INTO inbox (event_id) VALUES ('evt_1');
"""
TABLES = {
    "provider_gateway": ("budgets", "submissions", "ledger", "submission_log", "evidence"),
    "job": ("productions", "jobs", "takes"),
}
AGAIN = """
    CREATE TEMPORARY TABLE more AS SELECT * FROM submissions;
    UPDATE more SET id = '{id}', provider_job_id = NULL, clip = NULL, attempt = 2, version = 1, state = '{state}',
      next_action_at = {due}, sent_at = now() - interval '2 days', cost_micros = NULL;
    INSERT INTO submissions SELECT * FROM more;"""


@dataclasses.dataclass
class World:
    """Books that agree: one clip was ordered, charged and stored."""

    home: house.House
    names: dict[str, str]
    sources: check.Sources
    blobs: Path

    async def execute(self, service: str, script: str) -> None:
        """As nobody but the superuser can: past every rule of the database."""
        connection = await postgres.connect(self.home, database=self.names[service])
        try:
            await connection.execute(f"SET session_replication_role = replica; {script}")
        finally:
            await connection.close()

    async def reset(self) -> None:
        """Let them agree again."""
        for service, script in (("provider_gateway", GATEWAY), ("job", JOBS)):
            tables = ", ".join(TABLES[service])
            await self.execute(service, f"TRUNCATE {tables}, outbox, inbox, dead_letters CASCADE; {script}")
        assert self.sources.sandbox_ledger
        self.sources.sandbox_ledger.write_text("")
        self.note({"event": "post"}, {"event": "create"}, {"event": "done", "clip_sha256": SHA})
        self.note({"event": "charge", "micros": 100000})

    def note(self, *lines: dict[str, Any]) -> None:
        """Add to the provider's ledger."""
        assert self.sources.sandbox_ledger
        base = {"client_ref": SUB, "dialect": "fal", "key_sha256": "k", "micros": 0, "clip_sha256": None, "id": "v"}
        with self.sources.sandbox_ledger.open("a") as file:
            file.writelines(json.dumps(base | line) + "\n" for line in lines)

    async def broken(self, grace_s: float = 60) -> set[str]:
        """The promises that the checker finds broken."""
        report = await check.examine(self.sources, grace_s)
        assert bool(report.violations) == any(finding.wrong for finding in report.findings)
        return {finding.promise for finding in report.findings if finding.wrong}


@pytest.fixture
async def world(home: Any, database: Any, tmp_path: Path) -> World:
    places = {service: await database(service) for service in ("provider_gateway", "job")}
    blobs = tmp_path / "blobs"
    (blobs / KEY).parent.mkdir(parents=True)
    (blobs / KEY).write_bytes(CLIP)
    sources = check.Sources(
        places["provider_gateway"].url, places["job"].url, f"file://{blobs}", tmp_path / "ledger.jsonl"
    )
    names = {service: place.url.rpartition("/")[2] for service, place in places.items()}
    made = World(home, names, sources, blobs)
    await made.reset()
    return made


BREACHES = {
    "provider_gateway": {
        "each line of the ledger adds up to zero": """
        ALTER TABLE ledger DROP CONSTRAINT balanced; UPDATE ledger SET available = 1 WHERE id = 'entry_2'""",
        "every wall is what the ledger says of the submissions behind it": "UPDATE budgets SET spent_micros = 1",
        "every submission holds the money of its state": "UPDATE submissions SET cost_micros = 1",
        "no job is paid for twice": "DROP INDEX one_active;" + AGAIN.format(id=OTHER, state="UNKNOWN", due="now()"),
        "states follow the table": "UPDATE submission_log SET state = 'REJECTED' WHERE version = 4",
        "the log ends where the submission is": "DELETE FROM submission_log WHERE version = 6",
        "what is open has a date, and what is parked a reason": AGAIN.format(id=OTHER, state="PARKED", due="now()"),
        "nothing is forgotten": AGAIN.format(id=OTHER, state="ACCEPTED", due="now() - interval '2 hours'").replace(
            "provider_job_id = NULL", "provider_job_id = 'video_2'"
        ),
        "unknown outcomes are given up in time": AGAIN.format(id=OTHER, state="UNKNOWN", due="now()"),
        "nobody holds what is over": "UPDATE submissions SET lease_owner = 'me', lease_until = now()",
        "evidence does not contradict itself": "UPDATE evidence SET provider_job_id = 'video_9'",
        "nothing that ended as free has a job at its provider": "UPDATE submissions SET state = 'ABSENT'",
        "every submission is for a job": "UPDATE submissions SET job_id = 'job_9'",
        "jobs end when and as their submissions do": "UPDATE submissions SET state = 'CLIP_EXPIRED'",
        "provider_gateway has said what it has to say": "UPDATE outbox SET published_at = NULL",
        "provider_gateway has given up on no event": """
        INSERT INTO dead_letters (event_id, subject, payload, headers, reason, attempts)
        VALUES ('evt_9', 's', '', '{}', 'KeyError', 8)""",
        "what is spent was charged": f"UPDATE ledger SET submission_id = '{OTHER}' ;"
        + AGAIN.format(id=OTHER, state="PROVIDER_FAILED", due="NULL"),
        "every clip that was made is stored, or has expired with an alert": "UPDATE submissions SET state = 'REJECTED'",
    },
    "job": {
        "job has heard what provider_gateway said": "DELETE FROM inbox",
        "every stored clip is its job's take, and every take is stored": "DELETE FROM takes",
        "jobs end when and as their submissions do": "UPDATE jobs SET state = 'RUNNING', ended_at = NULL",
        "productions end with their jobs": "UPDATE productions SET state = 'FILMING'",
    },
}
BREACHES_AT_THE_PROVIDER = {
    "every order at the provider is a submission's": {"event": "create", "client_ref": "sub_nobody"},
    "no submission was sent twice": {"event": "post"},
    "no submission was made twice": {"event": "create"},
    "no submission was charged twice": {"event": "charge"},
    "what was charged is spent, or held until it is known": {"event": "charge", "micros": 1},
}


async def test_books_that_agree_break_no_promise(world: World) -> None:
    assert await world.broken() == set()
    figures = (await check.examine(world.sources, 60)).figures
    assert (figures["submissions stored"], figures["spent XTS"], figures["creates at the provider"]) == (1, 100000, 1)


@pytest.mark.parametrize("service", BREACHES)
async def test_every_breach_in_a_database_is_named(world: World, service: str) -> None:
    for promise, script in BREACHES[service].items():
        await world.reset()
        await world.execute(service, script)
        assert promise in await world.broken()


async def test_every_breach_at_the_provider_is_named(world: World) -> None:
    for promise, line in BREACHES_AT_THE_PROVIDER.items():
        await world.reset()
        world.note(line)
        assert promise in await world.broken()


async def test_an_order_that_the_provider_knew_again_was_sent_once(world: World) -> None:
    ledger = world.sources.sandbox_ledger
    assert ledger
    ledger.write_text(ledger.read_text().replace('"fal"', '"runware"'))
    world.note({"event": "post", "dialect": "runware", "key_sha256": None})  # it was refused before its key was read
    assert await world.broken() == set()
    world.note({"event": "post", "dialect": "runware", "key_sha256": "another"})
    assert await world.broken() == {"no submission was sent twice"}


async def test_two_clips_of_one_job_are_a_breach(world: World) -> None:
    await world.execute("provider_gateway", AGAIN.format(id=OTHER, state="ABSENT", due="NULL"))
    world.note({"event": "done", "client_ref": OTHER})
    assert "no job was made twice" in await world.broken()


async def test_another_clip_than_was_made_is_a_breach(world: World) -> None:
    ledger = world.sources.sandbox_ledger
    assert ledger
    ledger.write_text(ledger.read_text().replace(SHA, "0" * 64))
    assert await world.broken() == {"what is stored is what was made"}


@pytest.mark.parametrize(
    ("promise", "spoil"),
    [
        ("every stored clip is there, whole and unchanged", lambda path: path.unlink()),
        ("every stored clip is there, whole and unchanged", lambda path: path.write_bytes(b"a Clip")),
        ("every clip that is there is named by its submission", lambda path: path.with_suffix(".last.png").touch()),
        ("no file is left half written", lambda path: path.with_name(f".{path.name}.0a1b").touch()),
    ],
)
async def test_a_breach_in_the_files_is_named(world: World, promise: str, spoil: Callable[[Path], None]) -> None:
    spoil(world.blobs / KEY)
    assert await world.broken(grace_s=0) == {promise}


async def test_what_is_young_may_be_under_way(world: World) -> None:
    await world.execute("job", "DELETE FROM inbox")
    await world.execute("provider_gateway", "UPDATE outbox SET published_at = now(), created_at = now()")
    (world.blobs / KEY).with_suffix(".last.png").touch()
    assert await world.broken(grace_s=300) == set()


async def test_it_can_write_nothing(world: World) -> None:
    async with check._reading(world.sources.gateway_url) as connection:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute("UPDATE submissions SET tries = 1")


async def test_a_database_that_is_away_is_said_in_one_sentence(world: World) -> None:
    away = dataclasses.replace(world.sources, gateway_url="postgresql+asyncpg://a:b@127.0.0.1:1/c")
    with pytest.raises(exits.Ended, match="cannot be asked"):
        await check.examine(away, 0)


def test_it_knows_the_transitions_of_the_gateway() -> None:
    steps = {(before, after) for before, some in check_gateway.TRANSITIONS.items() for after in some}
    assert steps == {(str(before), str(after)) for before, after in domain.TRANSITIONS}
    assert {str(state) for state in domain.FINAL} == check_gateway.FINAL


def test_every_promise_about_submissions_has_its_breach() -> None:
    assert {rule.promise for rule in check_gateway.RULES} <= BREACHES["provider_gateway"].keys()


@pytest.mark.parametrize(("spoiled", "code"), [(False, 0), (True, 1)])
async def test_the_command_says_it_and_exits_so(world: World, spoiled: bool, code: int) -> None:
    if spoiled:
        await world.execute("job", "DELETE FROM takes")
    told = world.sources
    addresses = ("--gateway-database", told.gateway_url, "--job-database", told.job_url, "--blobs", told.blobs_url)
    rushes = (sys.executable, "-m", "services.cli", "ops", "check", *addresses)
    shown, listed = await asyncio.gather(*(_run(*rushes, *more) for more in ((), ("--json",))))
    assert (shown[0], listed[0]) == (code, code)
    assert f"{code} of 1: every stored clip is its job's take" in shown[1]
    assert json.loads(listed[1])["violations"] == code


async def _run(*command: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, env=environment.base(), stderr=asyncio.subprocess.DEVNULL
    )
    out, _ = await process.communicate()
    return process.returncode, out.decode()
