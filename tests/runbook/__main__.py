"""`python -m tests.runbook GRPCURL`: a house in trouble, and every command of the runbook typed into it."""

import asyncio
import datetime
import json
import os
import secrets
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

from libs import ids
from rushes.compiler.v1 import events_pb2
from rushes.job.v1 import job_service_pb2
from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as gateway_pb2
from services.cli import check_provider, client, house, postgres, visit
from tests.crash import kills, stories
from tests.e2e import crew, waiting
from tests.runbook import commands

LOST = stories.Story("lost", "sandbox/openrouter-reel", "[[drop_reply]] [[webhook_none]]")
"""Its answer is lost, and nobody calls back: it stays unknown until a person looks."""

_CALL = 'call() { grpcurl -plaintext -max-time 30 -H "authorization: Bearer $TOKEN" "$@"; }'
_UNKNOWN = "SELECT id FROM submissions WHERE state = 'UNKNOWN'"
_FAILED = "SELECT id FROM jobs WHERE state = 'FAILED'"
_BURY = """
    INSERT INTO dead_letters (event_id, subject, payload, headers, reason, attempts, tenant_id, place, settled_by, note)
    VALUES ($1, $2, $3, '{}', 'KeyError', 8, 'local', 'services/job/events.py:1 on_film', '', '')"""


class Trouble:
    """The house, and what its person says to it."""

    def __init__(self, of: house.House, services: client.Client) -> None:
        self.of, self.services = of, services

    async def call(self, method: Any, request: Any) -> Any:
        """One call."""
        return await self.services.call(method, request)

    async def rows(self, service: str, query: str, *values: Any) -> list[Any]:
        """What the superuser sees."""
        connection = await postgres.connect(self.of, database=service)
        try:
            found: list[Any] = await connection.fetch(query, *values)
        finally:
            await connection.close()
        return found

    async def make(self) -> dict[str, str]:
        """Bring it about; what the commands call things by."""
        told, _ = await stories.quoted(self, (LOST, LOST, LOST, stories.FAILS))  # type: ignore[arg-type]
        production = (await self.call(self.services.jobs.CreateProduction, told)).production
        lost = [row["id"] for row in await waiting.until("three lost answers", self._lost, 120)]
        failed = (await waiting.until("a failed job", lambda: self.rows("job", _FAILED), 120))[0]["id"]
        events = [await self._bury() for _ in range(2)]
        taken = check_provider.read(self.of.folder / "sandbox" / "ledger.jsonl").creates
        first, _, second = sorted(lost, key=lambda one: one not in taken)  # one stays lost: the production goes on
        since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
        request = job_service_pb2.GetProductionRequest(production_id=production.id)
        jobs = (await self.call(self.services.jobs.GetProduction, request)).production.jobs
        return {
            "SUBMISSION": first,
            "OTHER_SUBMISSION": second,
            "PROVIDER_JOB": str(taken[first][0]["id"]) if first in taken else "gen-none",
            "JOB_ID": jobs[0].id,
            "FAILED_JOB": failed,
            "EVENT": events[0],
            "OTHER_EVENT": events[1],
            "SINCE": since.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "SAID": (await self.rows("compiler", "SELECT min(id) AS id FROM outbox"))[0]["id"],
            "CREDENTIAL": await self._credential(),
            "NEW_KEY": secrets.token_hex(24),
        }

    async def _lost(self) -> list[Any]:
        found = await self.rows("provider_gateway", _UNKNOWN)
        return found if len(found) == 3 else []

    async def _bury(self) -> str:
        event_id, event = ids.new("evt"), events_pb2.FilmProgressed(tenant_id="local", film_id=ids.new("film"))
        await self.rows("job", _BURY, event_id, event.DESCRIPTOR.full_name, event.SerializeToString())
        return event_id

    async def _credential(self) -> str:
        request = gateway_pb2.CreateCredentialRequest(
            request_id=str(uuid.uuid4()), endpoint="sandbox-replicate", name="own", key=secrets.token_hex(24)
        )
        made: str = (await self.call(self.services.gateway.CreateCredential, request)).credential.id
        return made


async def type_all(of: house.House, grpcurl: Path, told: dict[str, str]) -> tuple[int, list[str]]:
    """Type every command; how many, and those that failed."""
    typed, wrong = commands.every(), []
    environment = os.environ | told | {"TOKEN": of.token.read_text().strip()}
    environment |= {name: of.address(service) for name, service in _ADDRESSES.items()}
    environment["PATH"] = f"{grpcurl.parent}{os.pathsep}{environment['PATH']}"
    for command in typed:
        said, code = await _type(command.text.replace("grpcurl ", f"{grpcurl} ", 1), grpcurl, environment)
        if code:
            wrong.append(f"{command.section}: {command.text}\n    {said.strip()}")
        elif command.method.endswith("/ThrowSpendSwitch"):
            (switch,) = json.loads(said).values()
            environment["HOUSE_SWITCH" if switch["scope"] == "SCOPE_HOUSE" else "SWITCH"] = switch["id"]
    return len(typed), wrong


_ADDRESSES = {
    "STORYBOARD": "storyboard",
    "JOB": "job",
    "GATEWAY": "provider_gateway",
    "COMPILER": "compiler",
}


async def _type(text: str, grpcurl: Path, environment: dict[str, str]) -> tuple[str, int]:
    script = f"{_CALL.replace('grpcurl', str(grpcurl))}\n{text}"
    process = await asyncio.create_subprocess_exec(
        *("bash", "-eu", "-c", script),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return said.decode(), process.returncode or 0


async def run(grpcurl: Path) -> tuple[int, list[str]]:
    """In a house of its own, in which a film was made."""
    with tempfile.TemporaryDirectory(prefix="rushes-runbook-") as made:
        films = Path(made) / "films"
        await asyncio.to_thread(films.mkdir)
        async with visit.visiting(Path(made) / "home", print) as of, client.connect(of) as services:
            await crew.shoot(of, "A film for the runbook", films)
            return await type_all(of, grpcurl, await Trouble(of, services).make())


def main() -> None:
    """Print how many were typed; 1 when one failed."""
    os.environ |= kills.SPED_UP
    count, wrong = asyncio.run(run(Path(sys.argv[1]).absolute()))
    for one in wrong:
        print(f"  {one}")
    print(f"{count} commands of the runbook typed; {len(wrong)} failed")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
