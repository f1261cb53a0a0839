"""AuditService: shows what was written down in a service's audit, and proves that it was not changed."""

import json
import re
from dataclasses import dataclass
from typing import Any

import grpc.aio
import sqlalchemy as sa

from libs import audit, auth, db, errors, moments, paging, rpc
from libs.rpc import access
from rushes.ops.v1 import audit_service_pb2 as pb
from rushes.ops.v1 import audit_service_pb2_grpc

_AUDIT = audit.AUDIT
_HEX_OF_A_HASH = 64
Context = grpc.aio.ServicerContext[Any, Any]


def servicer(database: db.Database) -> rpc.Servicer:
    """The service, for what is written down in this database."""
    add = audit_service_pb2_grpc.add_AuditServiceServicer_to_server
    return rpc.Servicer(add, AuditApi(database), "rushes.ops.v1.AuditService")


@dataclass(frozen=True)
class AuditApi(audit_service_pb2_grpc.AuditServiceServicer):
    """Answers owners for their tenant, and operators for the house."""

    database: db.Database

    async def ListAuditEntries(
        self, request: pb.ListAuditEntriesRequest, context: Context
    ) -> pb.ListAuditEntriesResponse:
        """Newest first; row-level security knows what an owner may see."""
        page = paging.by_id(request.page_size, request.page_token, f"audit {request.target}")
        caller = auth.caller()
        query = sa.select(_AUDIT).order_by(_AUDIT.c.position.desc()).limit(page.most)
        if request.target:
            query = query.where(_AUDIT.c.target == request.target)
        if page.below:
            query = query.where(_AUDIT.c.position < _position(page.below))
        seen = db.EVERY_TENANT if access.OPERATOR in caller.roles else caller.tenant_id
        async with self.database.tenant(seen) as conn:
            found = [audit.Entry(*row) for row in await conn.execute(query)]
        shown, more = page.cut(found)
        return pb.ListAuditEntriesResponse(audit_entries=map(_message, shown), next_page_token=more)

    async def VerifyAudit(self, request: pb.VerifyAuditRequest, context: Context) -> pb.VerifyAuditResponse:
        """From the first entry to the last."""
        known = _known(request)
        async with self.database.house() as conn:
            verdict = await audit.verify(conn, known)
        return pb.VerifyAuditResponse(
            entries=verdict.entries,
            last_hash=verdict.last_hash.hex(),
            broken_position=verdict.broken_at or 0,
            fault=verdict.fault,
        )


def _position(below: str) -> int:
    """Page tokens are no secret, and what is in them may be anything. Raises Invalid."""
    if not re.fullmatch(r"[0-9]{1,18}", str(below)):
        raise errors.Invalid([errors.Violation("page_token", "should be one that this method has given")])
    return int(below)


def _known(request: pb.VerifyAuditRequest) -> tuple[int, bytes] | None:
    if not (request.known_position or request.known_hash):
        return None
    try:
        seen = bytes.fromhex(request.known_hash)
    except ValueError:
        seen = b""
    wrong = []
    if request.known_position < 1:
        wrong.append(errors.Violation("known_position", "should be at least 1 where known_hash is said"))
    if len(seen) * 2 != _HEX_OF_A_HASH:
        wrong.append(errors.Violation("known_hash", "should be 64 characters of hex where known_position is said"))
    if wrong:
        raise errors.Invalid(wrong)
    return request.known_position, seen


def _message(entry: audit.Entry) -> pb.AuditEntry:
    return pb.AuditEntry(
        position=entry.position,
        tenant_id=entry.tenant_id,
        create_time=moments.stamp(entry.at),
        actor=entry.actor,
        action=entry.action,
        target=entry.target,
        facts={name: str(fact) for name, fact in json.loads(entry.facts).items()},
        hash=entry.hash.hex(),
    )
