"""People of the tenant: who they are, what they may, who comes by an invitation, and who has to leave."""

import asyncio
from typing import Any

import fastapi
import grpc
import grpc.aio
from google.protobuf import field_mask_pb2
from starlette import requests, responses

from rushes.access.v1 import people_service_pb2 as pb
from rushes.access.v1 import session_service_pb2
from rushes.type.v1 import access_pb2
from services.studio.pages import forms, said, sections, site

_PLACE = "/settings/people"
_SHOWN = 200
_GIVEN = ("ROLE_VIEWER", "ROLE_EDITOR", "ROLE_OWNER")
_DAYS = {1: "a day", 7: "7 days", 30: "30 days"}
_WORDS = {value: name.removeprefix("ROLE_").capitalize() for name, value in access_pb2.Role.items()}


async def read(of: site.Site, request: requests.Request) -> sections.Told:
    """Everything on the page; who is no owner sees who is, and changes nothing."""
    listed, caller, pending = await asyncio.gather(
        of.ask(request, "people.ListPeople", pb.ListPeopleRequest(page_size=_SHOWN, show_removed=True)),
        of.ask(request, "sessions.GetCaller", session_service_pb2.GetCallerRequest()),
        _pending(of, request),
    )
    here = [it for it in listed.people if not it.HasField("remove_time")]
    return {
        "people": sorted(here, key=lambda it: (it.subject != caller.caller.subject, _called(it).casefold())),
        "removed": [it for it in listed.people if it.HasField("remove_time")],
        "names": {it.subject: _called(it) for it in listed.people},
        "me": caller.caller.subject,
        "pending": pending or [],
        "decides": pending is not None,
        "roles": [(name, _WORDS[access_pb2.Role.Value(name)]) for name in _GIVEN],
        "words": _WORDS,
        "days": _DAYS,
        "made": None,
    }


def _called(who: pb.Person) -> str:
    return who.name or who.subject


async def _pending(of: site.Site, request: requests.Request) -> Any:
    """The invitations that are open; None for who may not know, and so may not decide about people either."""
    try:
        found = await of.ask(request, "people.ListInvitations", pb.ListInvitationsRequest(page_size=_SHOWN))
    except grpc.aio.AioRpcError as fault:
        if fault.code() is grpc.StatusCode.PERMISSION_DENIED:
            return None
        raise
    return found.invitations


async def _give(of: site.Site, request: requests.Request, form: forms.Form) -> str:
    role = forms.text(form, "role")
    given = forms.one_of(access_pb2.Role, "role", role) if role else access_pb2.ROLE_UNSPECIFIED
    person = pb.Person(id=forms.text(form, "id"), etag=forms.text(form, "etag"), given_role=given)
    mask = field_mask_pb2.FieldMask(paths=["given_role"])
    await of.ask(request, "people.UpdatePerson", pb.UpdatePersonRequest(person=person, update_mask=mask))
    return "given"


async def _remove(of: site.Site, request: requests.Request, form: forms.Form) -> responses.Response:
    asked = pb.RemovePersonRequest(person_id=forms.text(form, "id"), etag=forms.text(form, "etag"))
    gone = (await of.ask(request, "people.RemovePerson", asked)).person
    return said.then(_PLACE, f"{_called(gone)} is removed and signed out.", "Undo", f"{_PLACE}/{gone.id}/restore")


async def _invite(of: site.Site, request: requests.Request, form: forms.Form) -> sections.Told:
    """A new person, or with the field `id` one who was invited before."""
    ends = forms.days_from(of.services.clock(), forms.whole(form, "days") or 7)
    wanted = pb.Invitation(expire_time=ends, person_id=forms.text(form, "id"))
    if not wanted.person_id:
        wanted.name = forms.text(form, "name")
        wanted.role = forms.one_of(access_pb2.Role, "role", forms.text(form, "role"))
    asked = pb.CreateInvitationRequest(invitation=wanted)
    made = await of.ask(request, "people.CreateInvitation", asked)
    here = of.by.url or f"{request.url.scheme}://{request.url.netloc}"
    return {"made": {"for": made.invitation, "link": f"{here}/signin#{made.ticket}"}}


def attach_undo(router: fastapi.APIRouter, of: site.Site) -> None:
    """Where a removal is taken back."""

    @router.post(f"{_PLACE}/{{person_id}}/restore")
    async def restore(request: requests.Request, person_id: str) -> responses.Response:
        asked = pb.RestorePersonRequest(person_id=person_id)
        back = (await of.ask(request, "people.RestorePerson", asked)).person
        return said.then(_PLACE, f"{_called(back)} may sign in again.")


SECTION = sections.Section(
    _PLACE,
    "settings/people.html",
    read,
    acts={
        "give": _give,
        "remove": _remove,
        "invite": _invite,
        "revoke": sections.naming("people.RevokeInvitation", pb.RevokeInvitationRequest, "invitation_id", "revoked"),
    },
    says={
        "given": "The role counts from now on, everywhere within 30 seconds.",
        "revoked": "Taken back: that link lets nobody in.",
    },
)
