"""Every method of every service, called as everybody: nobody gets in who should not, and none reaches another's."""

import time
import uuid

import grpc
import pytest

from tests.contract import access
from tests.integration.access import household

CODE = grpc.StatusCode
FAULTS = {CODE.INTERNAL, CODE.UNKNOWN, CODE.UNIMPLEMENTED}


@pytest.fixture
async def house(database, serve, issuer, tmp_path):
    async with household.opened(database, serve, issuer, tmp_path) as made:
        yield made


def strangers(issuer, name):
    """Tokens of those whom nobody knows, and what they are told."""
    now = int(time.time())
    other = "job" if name != "job" else "compiler"
    return {
        "none": ("", "TOKEN_MISSING"),
        "expired": (issuer.token(iat=now - 7200, exp=now - 3600), "TOKEN_EXPIRED"),
        "wrong audience": (issuer.token(aud=f"rushes-{other}"), "TOKEN_INVALID"),
        "wrong issuer": (issuer.token(iss="https://elsewhere.example"), "TOKEN_INVALID"),
    }


async def test_nobody_gets_in_who_should_not(house, issuer, record_property):
    rows, cells, unexpected = access.written(), 0, []
    assert house.methods.keys() == rows.keys(), "a method without a row, or a row without a method"
    for path, row in rows.items():
        assert house.doors_of(path), f"no service serves {path}"
        for name in house.doors_of(path):
            for who, (token, reason) in strangers(issuer, name).items():
                answer, cells = await house.ask(name, path, house.request(path), token), cells + 1
                is_right = answer.code is CODE.UNAUTHENTICATED and answer.reason == reason
                is_in = answer.reason != "TOKEN_MISSING" and answer.code not in FAULTS
                if not (is_in if row.is_open else is_right):
                    unexpected.append((name, path, who, answer.code.name, answer.reason))
            for role in access.ROLES:
                token = issuer.token(roles=[role], aud=f"rushes-{name.replace('_', '-')}")
                answer, cells = await house.ask(name, path, house.request(path), token), cells + 1
                is_denied = answer.code is CODE.PERMISSION_DENIED and answer.reason == "ROLE_MISSING"
                if (role in row.roles) == is_denied or answer.code in FAULTS:
                    unexpected.append((name, path, role, answer.code.name, answer.reason))
    record_property("figure", f"matrix: methods={len(rows)} cells={cells} unexpected={len(unexpected)} unlisted=0")
    assert not unexpected, "\n".join(map(str, unexpected))
    assert cells >= 9 * len(rows)


SHARED = {"ListModels", "GetModel", "ListEndpoints", "ListPresets", "ListSceneTemplates"}
"""What is the same for all."""
SEARCHES = {
    "ListProductions",
    "ListJobs",
    "ListTakes",
    "ListFilms",
    "ListShares",
    "ListSubmissions",
    "ListLedgerEntries",
    "GetCosts",
    "ListJobHistory",
}
"""What finds nothing where there is nothing of the caller's: an answer, no error."""
FORMER = {"WatchStoryboard"}
"""What may be asked before there is anything."""
BELIEVED = {"CreateFilm"}
"""What keeps an id of another service as it is told it, and looks at nothing there."""
FIRST = {"number": 1}
NEEDED = {
    "AddScene": {"scene": {"title": "Night", "subject": "A boat", "duration": {"seconds": 4}}},
    "CreateProduction": {"revision": 1},
    "DiffRevisions": {"from_number": 1, "to_number": 1},
    "DiscardDeadLetter": {"note": "Not mine."},
    "ExportFilm": {"format": 1},
    "ExportStoryboard": {"format": 1},
    "GetRevision": FIRST,
    "NameRevision": FIRST | {"name": "First"},
    "PlanProduction": {"revision": 1},
    "ProposeScenes": {"script": "A boat comes home."},
    "RestoreRevision": FIRST,
    "RotateCredential": {"key": "sk-another-0123456789"},
    "UpdatePerson": {"person": {"given_role": "ROLE_EDITOR"}, "update_mask": {"paths": ["given_role"]}},
    "UpdateWebhookEndpoint": {"webhook_endpoint": {"url": "http://127.0.0.1:1/"}, "update_mask": {"paths": ["url"]}},
    "UploadReference": {"facts": {"content_type": "image/png", "size_bytes": 9, "sha256": "0" * 64}},
}
"""What a request must say besides ids to be looked at."""


def filled(house, path):
    """A request that names what is acme's wherever it can, and whether it could."""
    request = house.request(path)
    request.MergeFrom(type(request)(**NEEDED.get(path.rpartition("/")[2], {})))
    return request, name_all(request, house.ids)


def name_all(message, ids):
    found = False
    for field in message.DESCRIPTOR.fields:
        if field.name == "request_id":
            message.request_id = str(uuid.uuid4())
        elif field.name in ids and field.type == field.TYPE_STRING:
            setattr(message, field.name, ids[field.name])
            found = True
        elif field.message_type and not field.is_repeated and (message.HasField(field.name) or is_thing(field, ids)):
            inner = getattr(message, field.name)
            if f"{field.name}_id" in ids:
                inner.id, found = ids[f"{field.name}_id"], True
            found |= name_all(inner, ids)
    return found


def is_thing(field, ids):
    """Whether the request changes a thing that exists, which it names by the thing itself."""
    return f"{field.name}_id" in ids and any(other.name == "update_mask" for other in field.containing_type.fields)


def ends(path):
    """How much of what others need it takes away."""
    return ("Remove" in path) + ("Delete" in path) + ("DeleteStoryboard" in path)


async def test_none_reaches_what_is_another_s(house, issuer, record_property):
    cells, unexpected = 0, []
    for path in house.methods:
        verb = path.rpartition("/")[2]
        request, names = filled(house, path)
        for name in house.doors_of(path):
            answer, cells = await house.ask(name, path, request, issuer.token("other", "eve")), cells + 1
            is_hidden = not any(known in str(answer.said) for known in house.ids.values())
            is_missing = answer.code is CODE.NOT_FOUND or (verb in SEARCHES | FORMER and answer.code is CODE.OK)
            if verb not in SHARED | BELIEVED and not (is_hidden and (is_missing or not names)):
                unexpected.append((name, path, answer, str(request)))
    # The same requests find what they name when its owner asks: what takes away comes last.
    for path in sorted(house.methods, key=ends):
        request, names = filled(house, path)
        for name in house.doors_of(path) if names else ():
            answer, cells = await house.ask(name, path, request, issuer.token()), cells + 1
            if answer.code in FAULTS | {CODE.NOT_FOUND, CODE.PERMISSION_DENIED}:
                unexpected.append((name, path, answer, str(request)))
    record_property("figure", f"other tenant: methods={len(house.methods)} cells={cells} unexpected={len(unexpected)}")
    assert not unexpected, "\n".join(map(str, unexpected))
