"""Who may call a method and what its calls count towards, read from the contract, where each method says it."""

import functools
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from google.protobuf import descriptor, descriptor_pool

from libs import auth, errors
from rushes.type.v1 import access_pb2

ANYBODY, OWNER, OPERATOR = "anybody", "owner", "operator"
_VIEWER, _EDITOR, _SERVICE = "viewer", "editor", "service"
# What each role may do: guests work on their boards as editors do, and their service knows what they may not.
_GRANTS: Mapping[str, frozenset[str]] = {
    _VIEWER: frozenset({_VIEWER}),
    _EDITOR: frozenset({_VIEWER, _EDITOR}),
    OWNER: frozenset({_VIEWER, _EDITOR, OWNER}),
    OPERATOR: frozenset({_VIEWER, OPERATOR}),
    _SERVICE: frozenset({_VIEWER, _EDITOR, _SERVICE}),
    auth.GUEST: frozenset({_VIEWER, _EDITOR}),
}


class RoleMissing(errors.Denied):
    """This needs the role {role}; ask an owner of your tenant, or whoever looks after the house, to give it to you."""


class ScopeMissing(errors.Denied):
    """This token is only good for some calls, and this one needs the scope {scope}; use another token."""


class Access(NamedTuple):
    """Who may call a method; `limit` is what its calls count towards, empty when they are not counted."""

    role: str
    operator: bool = False
    limit: str = ""
    scope: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it needs no token."""
        return self.role == ANYBODY

    def check(self, caller: auth.Caller) -> None:
        """Raises RoleMissing, or ScopeMissing."""
        held = _held(caller.roles)
        if self.role not in held and not (self.operator and OPERATOR in held):
            raise RoleMissing(role=f"{self.role} or {OPERATOR}" if self.operator else self.role)
        if caller.scopes is not None and not self._is_in(caller.scopes):
            raise ScopeMissing(scope=f"{self.scope}:read" if self.role == _VIEWER else self.scope)

    def _is_in(self, scopes: frozenset[str]) -> bool:
        reads = {"rushes:read", f"{self.scope}:read"} if self.role == _VIEWER else set()
        return bool(scopes & {self.scope, *reads})


@functools.cache
def _held(roles: frozenset[str]) -> frozenset[str]:
    """What these may do together; of roles there are few, whatever tokens say."""
    return frozenset().union(*(_GRANTS.get(role, frozenset()) for role in roles))


def of_services(names: Iterable[str]) -> dict[str, Access]:
    """By path, the access of every method of these services. Raises ValueError for one that says nothing: nobody may
    call it, and a service that has it does not start.
    """
    pool = descriptor_pool.Default()
    methods = [method for name in names for method in pool.FindServiceByName(name).methods]
    return {f"/{method.containing_service.full_name}/{method.name}": _of(method) for method in methods}


def _of(method: descriptor.MethodDescriptor) -> Access:
    said = method.GetOptions().Extensions[access_pb2.access]
    if said.role == access_pb2.ROLE_UNSPECIFIED:
        raise ValueError(f"{method.full_name} does not say who may call it")
    role = access_pb2.Role.Name(said.role).removeprefix("ROLE_").lower()
    limit = access_pb2.Limit.Name(said.limit).removeprefix("LIMIT_").lower()
    package = method.containing_service.full_name.split(".")[1]
    return Access(role, said.operator, limit if said.limit else "", f"rushes:{package}")
