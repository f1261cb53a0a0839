"""What a caller can do about a refusal, by its reason: the same table for every door."""

from collections.abc import Mapping
from typing import NamedTuple

from services.studio.rest import refusals


class Remedy(NamedTuple):
    """One way out: a name for programs, a title for people, and where there is one the request that does it.

    `href` is filled from the refusal's facts and the path; what it needs and they do not have makes it absent.
    """

    rel: str
    title: str
    method: str = ""
    href: str = ""


_PLAN = Remedy("plan", "See the new plan and its price", "POST", "/v1/storyboards/{storyboard_id}:plan")
_BOARD = Remedy("read", "Read it as it is now", "GET", "/v1/storyboards/{storyboard_id}")
_PRODUCTION = Remedy("read", "Look at the production", "GET", "/v1/productions/{production_id}")
_JOB = Remedy("read", "Look at the job", "GET", "/v1/jobs/{job_id}")
_MODELS = Remedy("models", "See what can be bought", "GET", "/v1/models?usable_only=true")
_SUBMISSION = Remedy("read", "Look at the paid call", "GET", "/v1/submissions/{submission_id}")
_TOKEN = Remedy("sign-in", "Get a new token from the issuer of this house")
_SAME = Remedy("retry", "Send the same again, with the same Idempotency-Key")
_NEW_KEY = Remedy("new-key", "Choose a new Idempotency-Key for a new request")
_CREDENTIAL = Remedy("read", "Look at the credential", "GET", "/v1/credentials/{credential_id}")
_PEOPLE = Remedy("list", "See the people of your tenant", "GET", "/v1/people")
_FILM = Remedy("read", "Look at the film", "GET", "/v1/films/{film_id}")
_EDIT = Remedy("edit", "Edit the scene", "GET", "/v1/storyboards/{storyboard_id}")
_OTHER = Remedy("other", "Choose another model", "GET", "/v1/storyboards/{storyboard_id}")
_AGAIN = Remedy("again", "Generate it again", "POST", "/v1/jobs/{job_id}:retry")
_LOOK = Remedy("look", "Check now", "POST", "/v1/jobs/{job_id}:retry")
_FETCH = Remedy("fetch", "Fetch it again", "POST", "/v1/jobs/{job_id}:retry")

_OF_REASONS: Mapping[str, tuple[Remedy, ...]] = {
    "QUOTE_CHANGED": (_PLAN,),
    "QUOTE_EXPIRED": (_PLAN,),
    "QUOTE_NOT_FOUND": (_PLAN,),
    "QUOTE_ITEM_MISSING": (_PLAN,),
    "PLAN_CHANGED": (_PLAN,),
    "RETRY_NEEDS_PLAN": (_JOB, _PLAN),
    "JOB_SUCCEEDED": (_JOB,),
    "JOB_WAITS": (_JOB,),
    "JOB_ALREADY_FINISHED": (_JOB,),
    "PRODUCTION_ALREADY_FINISHED": (_PRODUCTION,),
    "PRODUCTION_NOT_FILMING": (_PRODUCTION,),
    "BUDGET_EXCEEDED": (
        Remedy("raise", "Raise the budget", "PUT", "/v1/budgets"),
        Remedy("shorten", "Take fewer or shorter scenes, or a cheaper model", "GET", "/v1/models?usable_only=true"),
    ),
    "SPENDING_STOPPED": (Remedy("release", "Release the switch", "DELETE", "/v1/spend_switches/{switch_id}"),),
    "STORYBOARD_CHANGED": (_BOARD,),
    "STORYBOARD_EMPTY": (Remedy("add", "Add a scene", "POST", "/v1/storyboards/{storyboard_id}/scenes"),),
    "STORYBOARD_DELETED": (Remedy("undelete", "Undelete it", "POST", "/v1/storyboards/{storyboard_id}:undelete"),),
    "STORYBOARD_NOT_FOUND": (Remedy("list", "See your storyboards", "GET", "/v1/storyboards"),),
    "SCENE_NOT_FOUND": (_BOARD,),
    "REVISION_NOT_FOUND": (Remedy("list", "See its history", "GET", "/v1/storyboards/{storyboard_id}/revisions"),),
    "PRODUCTION_NOT_FOUND": (Remedy("list", "See your productions", "GET", "/v1/productions"),),
    "JOB_NOT_FOUND": (Remedy("list", "See your jobs", "GET", "/v1/jobs"),),
    "TAKE_NOT_FOUND": (Remedy("list", "See the takes of a storyboard", "GET", "/v1/storyboards"),),
    "FILM_NOT_FOUND": (Remedy("list", "See your films", "GET", "/v1/films"),),
    "FILM_NOT_COMPLETED": (_FILM,),
    "SHARE_NOT_FOUND": (Remedy("list", "See your shares", "GET", "/v1/shares"),),
    "FILM_ALREADY_FINISHED": (_FILM,),
    "MODEL_NOT_FOUND": (Remedy("nearest", "Take the nearest model", "GET", "/v1/models/{nearest}"), _MODELS),
    "MODEL_RETIRED": (Remedy("replace", "Take its replacement", "GET", "/v1/models/{replacement}"), _MODELS),
    "MODEL_UNCONFIGURED": (Remedy("key", "Install a key for its endpoint", "POST", "/v1/credentials"), _MODELS),
    "PROVIDER_REJECTED": (_EDIT, _OTHER, _AGAIN, _PLAN),
    "PROVIDER_FAILED": (_AGAIN, _PLAN, _EDIT),
    "SCENE_BEFORE_FAILED": (_PLAN, _EDIT),
    "CLIP_EXPIRED": (_PLAN,),
    "CLIP_NOT_FETCHED": (_FETCH,),
    "OUTCOME_UNKNOWN": (_LOOK, Remedy("settle", "Settle it", "GET", "/v1/jobs/{job_id}"), _PLAN),
    "SUBMISSION_NOT_FOUND": (Remedy("list", "See your paid calls", "GET", "/v1/submissions"),),
    "SUBMISSION_NOT_UNKNOWN": (_SUBMISSION,),
    "SUBMISSION_NOT_PAID": (_SUBMISSION,),
    "CREDENTIAL_STALE": (_CREDENTIAL,),
    "CREDENTIAL_IN_USE": (
        Remedy("disable", "Disable it until its work is done", "PATCH", "/v1/credentials/{credential_id}"),
    ),
    "CREDENTIAL_NOT_FOUND": (Remedy("list", "See your credentials", "GET", "/v1/credentials"),),
    "TOKEN_MISSING": (Remedy("sign-in", "Send the header `Authorization: Bearer <token>`"),),
    "TOKEN_INVALID": (_TOKEN,),
    "TOKEN_EXPIRED": (_TOKEN,),
    "REQUEST_ID_REUSED": (_NEW_KEY,),
    "IDEMPOTENCY_KEY_MISSING": (Remedy("key", "Send the header `Idempotency-Key` with a UUID of your own"),),
    "IF_MATCH_MISSING": (Remedy("read", "Read it, and send its ETag as `If-Match`; `*` changes whatever is there"),),
    "SIGN_IN_FIRST": (_TOKEN,),
    "PERSON_NOT_FOUND": (_PEOPLE,),
    "PERSON_CHANGED": (Remedy("read", "Look at them as they are now", "GET", "/v1/people/{person_id}"),),
    "LAST_OWNER": (Remedy("promote", "Make somebody else an owner first", "GET", "/v1/people"),),
    "PERSON_REMOVED": (Remedy("ask", "Ask an owner to let you in again"),),
    "INVITATION_NOT_FOUND": (Remedy("list", "See the invitations that are open", "GET", "/v1/invitations"),),
    "OPERATOR_NEEDED": (Remedy("ask", "Ask an operator of this house"),),
}
_OF_STATUSES = {
    400: Remedy("correct", "Correct the request"),
    401: _TOKEN,
    403: Remedy("ask", "Ask the owner of this house for the right to do it"),
    404: Remedy("check", "Check the address and the id"),
    405: Remedy("check", "Use a method that the header Allow names"),
    409: Remedy("read", "Read it again: its state does not allow this now"),
    412: Remedy("read", "Read it again and repeat your change"),
    413: Remedy("shrink", "Send less at once"),
    415: Remedy("correct", "Send JSON, with `Content-Type: application/json`"),
    422: Remedy("correct", "Correct the fields that `errors` names"),
}
_WAIT = Remedy("wait", "Wait as long as the header Retry-After says, then repeat it")


def of(refused: refusals.Refusal, path: Mapping[str, str]) -> list[dict[str, str]]:
    """The ways out, best first; never none where the caller can do something."""
    known = _OF_REASONS.get(refused.reason, ())
    facts = {name: fact for name, fact in {**path, **refused.facts}.items() if fact}
    told = [it for remedy in known if (it := _filled(remedy, facts))]
    if refused.status == 429 or refused.status == 503:
        told.append(_filled(_WAIT, {}) or {})
    if refused.status == 504:
        told.append(_filled(_SAME, {}) or {})
    if not told and (general := _OF_STATUSES.get(refused.status)):
        told.append(_filled(general, {}) or {})
    return told


def _filled(remedy: Remedy, facts: Mapping[str, str]) -> dict[str, str] | None:
    try:
        href = remedy.href.format_map(facts)
    except KeyError:
        return None
    told = {"rel": remedy.rel, "title": remedy.title}
    return told | ({"method": remedy.method, "href": href} if href else {})
