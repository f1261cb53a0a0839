"""Time that passes and persons who act: what takes a day takes a moment, and what nobody can know, somebody says."""

import contextlib
import dataclasses
from collections.abc import Awaitable, Callable, Mapping

from rushes.provider_gateway.v1 import provider_gateway_service_pb2 as gateway_pb2
from rushes.type.v1 import money_pb2
from services.cli import check_provider, client
from tests.crash import rig as rigs
from tests.crash import stories

GATEWAY = "provider_gateway"
CLIP_MICROS = 100_000
"""What a second of the sandbox costs."""

_HURRY = """
    UPDATE submissions SET next_action_at = now()
    WHERE next_action_at > now() AND lease_until IS NULL AND state IN ('INTENT', 'ACCEPTED', 'UNKNOWN', 'PROVIDER_DONE')
    """
# A sandbox that is starved of processor time takes seconds to write down what it took.
_UNKNOWN = """
    SELECT id, scene_id, sent_at < now() - interval '20 seconds' AS is_old FROM submissions
    WHERE state = 'UNKNOWN' AND provider_job_id IS NULL AND sent_at < now() - interval '8 seconds'"""
_SETTLE = """
    UPDATE submissions SET answered_at = answered_at - interval '11 minutes'
    WHERE id = ANY($1) AND state = 'UNKNOWN' AND answered_at > now() - interval '10 minutes'"""
_A_DAY = "sent_at = now() - interval '25 hours', answered_at = now() - interval '25 hours'"
_THE_TRUTH = "sent_at = created_at, answered_at = created_at, next_action_at = now()"
_A_MONTH = "sent_at = now() - interval '40 days', next_action_at = now()"
_A_SEASON = "created_at = now() - interval '90 days', next_action_at = now()"
_ANOTHER_MODEL = "wire_model = 'switched-off'"
_NOT_WANTED = "cancel_wanted_at = now()"

_OF_SCENES = "SELECT id, scene_id, state, tries, version FROM submissions WHERE scene_id = ANY($1)"
_BEFORE = "SELECT count(*) FROM submission_log WHERE submission_id = $1 AND state = $2"

Act = Callable[["Fates", str, str], Awaitable[None]]
"""Something that is done about a submission in that state."""


@dataclasses.dataclass
class Fates:
    """Of the scenes of one round; `settled` counts what a person had to close or to name."""

    rig: rigs.Rig
    scenes: dict[str, stories.Story] = dataclasses.field(default_factory=dict)
    is_unwanted: bool = False
    settled: int = 0

    async def pass_by(self) -> None:
        """A moment in which everything happens that takes its time."""
        await self.rig.rows(GATEWAY, _HURRY)
        for row in await self.rig.rows(GATEWAY, _OF_SCENES, list(self.scenes)):
            story = self.scenes[row["scene_id"]]
            if act := _ACTS.get((story.name, row["state"])):
                await act(self, row["id"], row["state"])
            if self.is_unwanted and row["state"] == "INTENT" and row["tries"]:
                await self.bend(row["id"], "INTENT", _NOT_WANTED)
        await self._look_at_the_bill()

    async def bend(self, submission_id: str, state: str, values: str) -> None:
        """Let the row say something else, as time would."""
        query = f"UPDATE submissions SET {values} WHERE id = $1 AND state = $2 AND lease_until IS NULL"
        await self.rig.rows(GATEWAY, query, submission_id, state)

    async def times(self, submission_id: str, state: str) -> int:
        """How often it has come to that state."""
        return int((await self.rig.rows(GATEWAY, _BEFORE, submission_id, state))[0][0])

    async def settle(self, submission_id: str, charged_micros: int) -> None:
        """A person closes it."""
        request = gateway_pb2.SettleSubmissionRequest(
            submission_id=submission_id,
            charged=money_pb2.Money(currency="XTS", micros=charged_micros),
            note="So it is on the bill.",
        )
        await self._told(self.rig.services.gateway.SettleSubmission, request)

    async def fetch(self, submission_id: str) -> None:
        """A person asks for a clip that was given up."""
        request = gateway_pb2.FetchSubmissionRequest(submission_id=submission_id)
        await self._told(self.rig.services.gateway.FetchSubmission, request)

    async def _look_at_the_bill(self) -> None:
        """Of what is unknown: what was never taken can be proven soon, and the rest a person names or closes."""
        unknown = await self.rig.rows(GATEWAY, _UNKNOWN)
        taken = check_provider.read(self.rig.ledger).creates if unknown else {}
        await self.rig.rows(GATEWAY, _SETTLE, [row["id"] for row in unknown if row["id"] not in taken])
        for row in unknown:
            if row["is_old"] and self.scenes.get(row["scene_id"], stories.PLAIN).name not in _FATED:
                self.settled += 1
                if found := taken.get(row["id"]):
                    await self._name(row["id"], str(found[0]["id"]))
                else:
                    await self.settle(row["id"], 0)

    async def _name(self, submission_id: str, provider_job_id: str) -> None:
        request = gateway_pb2.ReconcileSubmissionRequest(
            submission_id=submission_id, provider_job_id=provider_job_id, note="So it is in the provider's pages."
        )
        await self._told(self.rig.services.gateway.ReconcileSubmission, request)

    async def _told(self, method: object, request: object) -> None:
        with contextlib.suppress(client.Refused):  # its outcome has just become known
            await self.rig.call(method, request)


def _bending(values: str, once: str = "") -> Act:
    """An act of time; when `once` is given, only until that state has been."""

    async def act(fates: Fates, submission_id: str, state: str) -> None:
        if not once or not await fates.times(submission_id, once):
            await fates.bend(submission_id, state, values)

    return act


def _settling(micros: int) -> Act:
    async def act(fates: Fates, submission_id: str, state: str) -> None:
        await fates.settle(submission_id, micros)

    return act


async def _fetching_once(fates: Fates, submission_id: str, state: str) -> None:
    if await fates.times(submission_id, state) == 1:
        await fates.fetch(submission_id)


_ACTS: Mapping[tuple[str, str], Act] = {
    (stories.LATE.name, "UNKNOWN"): _bending(_A_DAY, once="UNRESOLVED"),
    (stories.LATE.name, "UNRESOLVED"): _bending(_THE_TRUTH),
    (stories.CLOSED_AS_CHARGED.name, "UNKNOWN"): _settling(CLIP_MICROS),
    (stories.CLOSED_AS_FREE.name, "UNKNOWN"): _bending(_A_DAY),
    (stories.CLOSED_AS_FREE.name, "UNRESOLVED"): _settling(0),
    (stories.CLOSED_BY_TIME.name, "UNKNOWN"): _bending(_A_DAY),
    (stories.CLOSED_BY_TIME.name, "UNRESOLVED"): _bending(_A_MONTH),
    (stories.ASKED_FOR_AGAIN.name, "CLIP_EXPIRED"): _fetching_once,
    (stories.SWITCHED_OFF.name, "UNKNOWN"): _bending(_ANOTHER_MODEL),
    (stories.WAITS_TOO_LONG.name, "PARKED"): _bending(_A_SEASON),
    (stories.NEVER_SENT.name, "INTENT"): _bending(_A_SEASON),
}
_FATED = {name for name, state in _ACTS if state == "UNKNOWN"}
