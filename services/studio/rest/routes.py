"""What a route is: an address, the call behind it, and which part of the call its body and answer stand for."""

import importlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor, descriptor_pool, message, message_factory

from rushes.type.v1 import access_pb2

if TYPE_CHECKING:
    from starlette import responses

    from services.studio.rest import calls

_CONTRACT = (
    "rushes.storyboard.v1.storyboard_service_pb2",
    "rushes.job.v1.job_service_pb2",
    "rushes.job.v1.webhook_service_pb2",
    "rushes.provider_gateway.v1.provider_gateway_service_pb2",
    "rushes.compiler.v1.compiler_service_pb2",
    "rushes.compiler.v1.share_service_pb2",
    "rushes.ops.v1.dead_letter_service_pb2",
    "rushes.access.v1.session_service_pb2",
    "rushes.ops.v1.ops_service_pb2",
    "rushes.ops.v1.audit_service_pb2",
    "rushes.access.v1.token_service_pb2",
    "rushes.access.v1.people_service_pb2",
)
_PROCESSES = ("storyboard", "job", "provider_gateway", "compiler")
SERVICES = {
    "boards": ("storyboard", "rushes.storyboard.v1.StoryboardService"),
    "jobs": ("job", "rushes.job.v1.JobService"),
    "webhooks": ("job", "rushes.job.v1.WebhookService"),
    "gateway": ("provider_gateway", "rushes.provider_gateway.v1.ProviderGatewayService"),
    "compiler": ("compiler", "rushes.compiler.v1.CompilerService"),
    "shares": ("compiler", "rushes.compiler.v1.ShareService"),
    "sessions": ("storyboard", "rushes.access.v1.SessionService"),
    "letters@job": ("job", "rushes.ops.v1.DeadLetterService"),
    "letters@provider_gateway": ("provider_gateway", "rushes.ops.v1.DeadLetterService"),
    "letters@compiler": ("compiler", "rushes.ops.v1.DeadLetterService"),
    "tokens": ("storyboard", "rushes.access.v1.TokenService"),
    "people": ("storyboard", "rushes.access.v1.PeopleService"),
    **{f"ops@{name}": (name, "rushes.ops.v1.OpsService") for name in _PROCESSES},
    **{f"audit@{name}": (name, "rushes.ops.v1.AuditService") for name in _PROCESSES},
}
"""By the word the table has for it: who answers, and the contract's name."""

Do = Callable[["calls.Asked"], Awaitable["responses.Response"]]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one service."""

    channel: str
    path: str
    request: type[message.Message]
    response: type[message.Message]
    method: descriptor.MethodDescriptor

    @property
    def is_counted(self) -> bool:
        """Whether its calls count towards a limit."""
        return bool(self.method.GetOptions().Extensions[access_pb2.access].limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One address.

    `body` and `answer` are as in google.api.HttpRule: "*" stands for the whole message, a name for that field of it, ""
    for nothing, or the whole answer. Fields that are neither in the path nor in the body are asked for in the query.
    """

    method: str
    path: str
    call: str
    body: str = ""
    answer: str = ""
    status: int = 200
    location: str = ""
    """Address of what was made, filled from the answer."""
    paid: bool = False
    """It can cost money: Idempotency-Key is needed."""
    seen: bool = False
    """It overwrites: If-Match is needed."""
    do: Do | None = None
    """Does something else than to pass the request on and the answer back."""
    filled: tuple[str, ...] = ()
    """Fields of the call that `do` fills from what the address names: they are not for the body."""
    query: Mapping[str, Any] | None = None
    """Parameters besides those of the call, with their schemas."""
    answers: str = ""
    """Full name of the message that is answered, when it is not the call's."""
    takes: tuple[str, ...] = ()
    """Media types of a body that is no JSON."""
    asks: str = ""
    """Full name of the message that the body is, when the call has no field for it; `do` reads it."""
    gives: str = ""
    """Media type of an answer that is no JSON."""
    summary: str = ""
    """Says what it does where the call's own comment does not."""


def find(name: str) -> Call:
    """The call that a route names, such as "boards.GetStoryboard"."""
    for module in _CONTRACT:
        importlib.import_module(module)
    service, _, method_name = name.rpartition(".")
    channel, full_name = SERVICES[service]
    method = descriptor_pool.Default().FindMethodByName(f"{full_name}.{method_name}")
    return Call(
        channel,
        f"/{full_name}/{method_name}",
        message_factory.GetMessageClass(method.input_type),
        message_factory.GetMessageClass(method.output_type),
        method,
    )


def message_of(full_name: str) -> descriptor.Descriptor:
    """The message of this name."""
    return descriptor_pool.Default().FindMessageTypeByName(full_name)
