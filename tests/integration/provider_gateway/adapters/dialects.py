"""The seven dialects as the contract suite sees them: where they are in the sandbox, and their shortest words."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.provider_gateway import catalogue, providers, settings
from services.provider_gateway.providers import runware
from services.sandbox import domain, webhooks

OFFER = catalogue.load(settings.Settings.model_fields["catalogue_path"].default)
SUBMISSION = "sub_of_the_contract"
"""Whose orders the servers that misbehave get."""
_OPERATION = "projects/films/locations/here/publishers/google/models/sandbox-veo-1/operations/veo_1"


def _standard_secret(key: str) -> str:
    return "whsec_" + base64.b64encode(webhooks.secret(domain.digest(key))).decode()


def _hex_secret(key: str) -> str:
    return webhooks.secret(domain.digest(key)).hex()


@dataclass(frozen=True)
class Dialect:
    """One dialect. `taken` answers every create, `going` every poll of `job_id`."""

    name: catalogue.Dialect
    path: str
    taken: Any
    going: Any
    job_id: str
    settings: Mapping[str, str] = field(default_factory=dict)
    secret: Callable[[str], str] = _standard_secret
    tells_empty: bool = True
    """Whether a poll can tell that there is no clip, although the work is done."""
    tells_cost: bool = False
    own_ids: bool = False
    """Whether the id is known before the answer."""
    hints_name_jobs: bool = True

    @property
    def endpoint(self) -> str:
        """Its endpoint in the catalogue."""
        return next(
            name for name, one in OFFER.endpoints.items() if name.startswith("sandbox") and one.dialect == self.name
        )

    @property
    def terms(self) -> catalogue.Endpoint:
        return OFFER.endpoints[self.endpoint]

    @property
    def model(self) -> str:
        """What the sandbox calls its one model."""
        return next(one.wire_model for one in OFFER.models if one.endpoint == self.endpoint)

    @property
    def can(self) -> providers.Capabilities:
        """What can be relied on in the sandbox."""
        return self.terms.capabilities

    def place(self, url: str, key: str) -> providers.Endpoint:
        """The endpoint with this key, at a server's address."""
        return providers.Endpoint(
            "there", url + self.path, key, self.terms.flags, self.settings, webhook_secret=self.secret(key)
        )


_QUEUED = {"request_id": "job-1", "status": "IN_QUEUE"}
_TASK = runware.task_id(SUBMISSION)

DIALECTS = [
    Dialect(
        "openai_videos",
        "/v1",
        taken={"id": "job-1", "object": "video", "status": "queued"},
        going={"id": "job-1", "object": "video", "status": "queued"},
        job_id="job-1",
        tells_empty=False,
    ),
    Dialect(
        "google_interactions",
        "",
        taken={"id": "job-1", "status": "in_progress"},
        going={"id": "job-1", "status": "in_progress"},
        job_id="job-1",
    ),
    Dialect(
        "google_veo",
        "/vertex",
        taken={"name": _OPERATION},
        going={"name": _OPERATION},
        job_id=_OPERATION,
        settings={"project": "films", "location": "here", "bucket": "reels"},
    ),
    Dialect("fal", "/fal", taken=_QUEUED, going=_QUEUED, job_id="sandbox/reel#job-1", hints_name_jobs=False),
    Dialect(
        "openrouter",
        "/openrouter/api/v1",
        taken={"id": "job-1", "status": "pending"},
        going={"id": "job-1", "status": "pending"},
        job_id="job-1",
        secret=_hex_secret,
        tells_cost=True,
    ),
    Dialect(
        "runware",
        "/runware/v1",
        taken={"data": [{"taskType": "videoInference", "taskUUID": _TASK}]},
        going={"data": [{"taskType": "getResponse", "taskUUID": _TASK, "status": "processing"}]},
        job_id=_TASK,
        tells_cost=True,
        own_ids=True,
    ),
    Dialect(
        "replicate",
        "/replicate/v1",
        taken={"id": "job-1", "status": "starting"},
        going={"id": "job-1", "status": "starting"},
        job_id="job-1",
    ),
]
