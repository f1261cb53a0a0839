"""The routes of /v1, one line for each thing that can be asked."""

from typing import Any

from services.studio.rest import events, files, filming, media, sharing, things
from services.studio.rest.routes import Route

_BOARD = "/v1/storyboards/{storyboard_id}"
_SCENE = _BOARD + "/scenes/{scene_id}"
_REVISION = _BOARD + "/revisions/{number}"
_PRODUCTION = "/v1/productions/{production_id}"
_JOB, _TAKE, _FILM = "/v1/jobs/{job_id}", "/v1/takes/{take_id}", "/v1/films/{film_id}"
_SUBMISSION, _CREDENTIAL = "/v1/submissions/{submission_id}", "/v1/credentials/{credential_id}"
_HOOK = "/v1/webhooks/{webhook_endpoint_id}"
_PERSON, _INVITATION = "/v1/people/{person_id}", "/v1/invitations/{invitation_id}"
_MADE_BOARD, _MADE_PRODUCTION = "/v1/storyboards/{id}", "/v1/productions/{id}"


_TITLE = {"type": "string", "maxLength": 200, "default": "", "description": "What the file is saved as."}


def _parts(*names: str) -> dict[str, Any]:
    return {"format": {"type": "string", "enum": list(names), "default": names[0]}}


def _things(kind: str) -> list[Route]:
    """Characters, locations or props, one by one."""
    one, name = kind.removesuffix("s"), f"rushes.storyboard.v1.{kind.removesuffix('s').title()}"
    place = f"{_BOARD}/{kind}"
    rows: list[tuple[str, str, Any, str, int]] = [
        ("POST", place, things.adding(kind), f"Adds a {one}; it answers with the newest revision.", 201),
        ("PATCH", place + "/{thing_id}", things.changing(kind), f"Changes fields of a {one}.", 200),
        ("DELETE", place + "/{thing_id}", things.removing(kind), f"Takes a {one} out.", 200),
    ]
    return [
        Route(
            method=method,
            path=path,
            call="boards.GetStoryboard",
            answer="storyboard",
            do=do,
            summary=summary,
            status=status,
            asks="" if method == "DELETE" else name,
            seen=method != "POST",
        )
        for method, path, do, summary, status in rows
    ]


_BOARDS = [
    Route(method="GET", path="/v1/storyboards", call="boards.ListStoryboards"),
    Route(
        method="POST",
        path="/v1/storyboards",
        call="boards.CreateStoryboard",
        body="storyboard",
        answer="storyboard",
        status=201,
        location=_MADE_BOARD,
    ),
    Route(method="GET", path=_BOARD, call="boards.GetStoryboard", answer="storyboard"),
    Route(
        method="PATCH", path=_BOARD, call="boards.UpdateStoryboard", body="storyboard", answer="storyboard", seen=True
    ),
    Route(method="DELETE", path=_BOARD, call="boards.DeleteStoryboard", status=204, seen=True),
    Route(method="POST", path=_BOARD + ":undelete", call="boards.UndeleteStoryboard", answer="storyboard"),
    Route(method="POST", path=_BOARD + ":archive", call="boards.ArchiveStoryboard", answer="storyboard"),
    Route(method="POST", path=_BOARD + ":unarchive", call="boards.UnarchiveStoryboard", answer="storyboard"),
    Route(method="POST", path=_BOARD + ":undo", call="boards.Undo", answer="storyboard"),
    Route(method="POST", path=_BOARD + ":redo", call="boards.Redo", answer="storyboard"),
    Route(
        method="POST",
        path=_BOARD + ":duplicate",
        call="boards.DuplicateStoryboard",
        body="*",
        answer="storyboard",
        status=201,
        location=_MADE_BOARD,
    ),
    Route(method="GET", path=_BOARD + ":diff", call="boards.DiffRevisions"),
    Route(method="GET", path=_BOARD + ":prompts", call="boards.ComposePrompts"),
    Route(method="POST", path=_BOARD + ":propose_scenes", call="boards.ProposeScenes", body="*"),
    Route(method="POST", path=_BOARD + ":claim", call="boards.ClaimStoryboard", body="*", answer="storyboard"),
    Route(
        method="POST", path="/v1/guest_storyboards", call="boards.CreateGuestStoryboard", body="storyboard", status=201
    ),
    Route(method="POST", path=_BOARD + "/scenes", call="boards.AddScene", body="*", status=201),
    Route(method="PATCH", path=_SCENE, call="boards.UpdateScene", body="scene", answer="storyboard", seen=True),
    Route(method="DELETE", path=_SCENE, call="boards.RemoveScene", answer="storyboard", seen=True),
    Route(method="POST", path=_SCENE + ":move", call="boards.MoveScene", body="*", answer="storyboard"),
    Route(method="POST", path=_SCENE + ":refine", call="boards.RefineScene", body="*"),
    Route(method="GET", path=_BOARD + "/revisions", call="boards.ListRevisions"),
    Route(method="GET", path=_REVISION, call="boards.GetRevision", answer="revision"),
    Route(method="POST", path=_REVISION + ":restore", call="boards.RestoreRevision", answer="storyboard"),
    Route(method="POST", path=_REVISION + ":name", call="boards.NameRevision", body="*", answer="revision"),
    *(route for kind in ("characters", "locations", "props") for route in _things(kind)),
    Route(
        method="POST",
        path=_BOARD + "/things/{thing_id}/references",
        call="boards.UploadReference",
        answer="storyboard",
        status=201,
        takes=files.STILLS,
        do=files.reference,
    ),
    Route(
        method="POST",
        path="/v1/storyboards:import",
        call="boards.ImportStoryboard",
        body="data",
        takes=("application/yaml", "application/json", "text/plain", "text/csv", "application/octet-stream"),
    ),
    Route(method="GET", path=_BOARD + ":export", call="boards.ExportStoryboard", do=files.exported, gives="*/*"),
    Route(method="GET", path="/v1/presets", call="boards.ListPresets"),
    Route(method="GET", path="/v1/scene_templates", call="boards.ListSceneTemplates"),
]
_FILMING = [
    Route(
        method="POST",
        path=_BOARD + ":quote",
        call="boards.ComposePrompts",
        body="*",
        do=filming.quote,
        answers="rushes.provider_gateway.v1.Quote",
        status=201,
        summary="Says what every scene of a revision can cost at most, for 15 minutes; it spends nothing.",
    ),
    Route(method="POST", path="/v1/quotes", call="gateway.CreateQuote", body="*", answer="quote", status=201),
    Route(method="GET", path="/v1/quotes/{quote_id}", call="gateway.GetQuote", answer="quote"),
    Route(method="POST", path=_BOARD + ":plan", call="jobs.PlanProduction", body="*", answer="plan", do=filming.newest),
    Route(
        method="POST",
        path=_BOARD + "/productions",
        call="jobs.CreateProduction",
        body="*",
        answer="production",
        status=202,
        location=_MADE_PRODUCTION,
        paid=True,
        do=filming.newest,
    ),
    Route(method="GET", path=_BOARD + "/productions", call="jobs.ListProductions"),
    Route(method="GET", path=_BOARD + "/events", call="jobs.WatchStoryboard", do=events.stream),
    Route(method="GET", path="/v1/productions", call="jobs.ListProductions"),
    Route(method="GET", path=_PRODUCTION, call="jobs.GetProduction", answer="production"),
    Route(method="GET", path=_PRODUCTION + "/events", call="jobs.WatchProduction", do=events.stream),
    Route(method="POST", path=_PRODUCTION + ":cancel", call="jobs.CancelProduction"),
    Route(method="POST", path=_PRODUCTION + ":pause", call="jobs.PauseProduction", answer="production"),
    Route(method="POST", path=_PRODUCTION + ":resume", call="jobs.ResumeProduction", answer="production"),
    Route(method="POST", path=_PRODUCTION + ":approve", call="jobs.ApproveProduction", answer="production"),
    Route(method="GET", path="/v1/jobs", call="jobs.ListJobs"),
    Route(method="GET", path="/v1/jobs/events", call="jobs.WatchJobs", do=events.stream),
    Route(method="GET", path=_JOB, call="jobs.GetJob", answer="job"),
    Route(method="GET", path=_JOB + "/history", call="jobs.ListJobHistory"),
    Route(method="POST", path=_JOB + ":cancel", call="jobs.CancelJob", answer="job"),
    Route(method="POST", path=_JOB + ":retry", call="jobs.RetryJob"),
    Route(method="GET", path=_BOARD + "/takes", call="jobs.ListTakes"),
    Route(method="GET", path=_TAKE, call="jobs.GetTake", answer="take"),
    Route(
        method="GET",
        path=_TAKE + ":media",
        call="jobs.GetTake",
        do=media.of_take,
        status=307,
        answers="rushes.type.v1.Media",
        query={**_parts(*media.TAKE_PARTS), "title": _TITLE},
        summary="Leads to the clip of a take, or to a still of it.",
    ),
    Route(method="POST", path=_TAKE + ":pick", call="jobs.PickTake"),
    Route(method="POST", path=_TAKE + ":unpick", call="jobs.UnpickTake", answer="take"),
    Route(method="POST", path=_TAKE + ":note", call="jobs.NoteTake", body="*", answer="take"),
    Route(method="GET", path="/v1/costs", call="jobs.GetCosts"),
]
_FILMS = [
    Route(
        method="POST",
        path="/v1/sounds",
        call="compiler.UploadSound",
        answer="sound",
        status=201,
        takes=files.SOUNDS,
        do=files.sound,
    ),
    Route(method="GET", path="/v1/films", call="compiler.ListFilms"),
    Route(
        method="POST",
        path="/v1/films",
        call="compiler.CreateFilm",
        body="*",
        answer="film",
        status=202,
        location="/v1/films/{id}",
    ),
    Route(method="GET", path=_FILM, call="compiler.GetFilm", answer="film"),
    Route(method="GET", path=_FILM + "/events", call="compiler.WatchFilm", do=events.stream),
    Route(method="POST", path=_FILM + ":cancel", call="compiler.CancelFilm", answer="film"),
    Route(
        method="GET",
        path=_FILM + ":media",
        call="compiler.GetFilm",
        do=media.of_film,
        status=307,
        answers="rushes.type.v1.Media",
        query=_parts(*media.FILM_PARTS),
        summary="Leads to a file of a finished film.",
    ),
    Route(method="GET", path=_FILM + "/exports", call="compiler.ListExports"),
    Route(method="POST", path=_FILM + "/exports", call="compiler.ExportFilm", body="*", answer="export", status=202),
]
_SHARES = [
    Route(method="GET", path="/v1/shares", call="shares.ListShares"),
    Route(method="GET", path="/v1/shares/{share_id}", call="shares.GetShare", answer="share"),
    Route(method="DELETE", path="/v1/shares/{share_id}", call="shares.RevokeShare", answer="share"),
    Route(method="GET", path=_FILM + "/shares", call="shares.ListShares"),
    Route(method="POST", path=_FILM + "/shares", call="shares.CreateShare", body="*", status=201),
    Route(method="GET", path=_TAKE + "/shares", call="shares.ListShares"),
    Route(
        method="POST",
        path=_TAKE + "/shares",
        call="shares.CreateShare",
        body="*",
        status=201,
        do=sharing.of_take,
        filled=("film_id", "take"),
        summary="Makes a link to a take as it is, with a poster of it.",
    ),
]
_MONEY = [
    Route(method="GET", path="/v1/models", call="gateway.ListModels"),
    Route(method="GET", path="/v1/models/{model_id*}", call="gateway.GetModel", answer="model"),
    Route(method="GET", path="/v1/submissions", call="gateway.ListSubmissions"),
    Route(method="GET", path=_SUBMISSION, call="gateway.GetSubmission", answer="submission"),
    Route(method="GET", path=_SUBMISSION + "/events", call="gateway.WatchSubmission", do=events.stream),
    Route(method="GET", path=_SUBMISSION + "/evidence", call="gateway.ListEvidence"),
    Route(method="POST", path=_SUBMISSION + ":cancel", call="gateway.CancelSubmission", answer="submission"),
    Route(
        method="POST",
        path=_SUBMISSION + ":reconcile",
        call="gateway.ReconcileSubmission",
        body="*",
        answer="submission",
    ),
    Route(method="POST", path=_SUBMISSION + ":settle", call="gateway.SettleSubmission", body="*", answer="submission"),
    Route(method="POST", path=_SUBMISSION + ":fetch", call="gateway.FetchSubmission", answer="submission"),
    Route(method="GET", path="/v1/budgets", call="gateway.ListBudgets"),
    Route(method="GET", path="/v1/budgets:find", call="gateway.GetBudget", answer="budget"),
    Route(method="PUT", path="/v1/budgets", call="gateway.SetBudget", body="*", answer="budget"),
    Route(method="DELETE", path="/v1/budgets", call="gateway.DeleteBudget", status=204),
    Route(method="GET", path="/v1/balances", call="gateway.ListBalances"),
    Route(method="GET", path="/v1/ledger_entries", call="gateway.ListLedgerEntries"),
    Route(method="GET", path="/v1/spend_switches", call="gateway.ListSpendSwitches"),
    Route(
        method="POST",
        path="/v1/spend_switches",
        call="gateway.ThrowSpendSwitch",
        body="*",
        answer="spend_switch",
        status=201,
    ),
    Route(method="DELETE", path="/v1/spend_switches/{spend_switch_id}", call="gateway.ReleaseSpendSwitch", status=204),
    Route(method="GET", path="/v1/credentials", call="gateway.ListCredentials"),
    Route(
        method="POST",
        path="/v1/credentials",
        call="gateway.CreateCredential",
        body="*",
        answer="credential",
        status=201,
        location="/v1/credentials/{id}",
    ),
    Route(method="GET", path=_CREDENTIAL, call="gateway.GetCredential", answer="credential"),
    Route(method="PATCH", path=_CREDENTIAL, call="gateway.UpdateCredential", body="credential", answer="credential"),
    Route(method="DELETE", path=_CREDENTIAL, call="gateway.DeleteCredential", status=204),
    Route(method="POST", path=_CREDENTIAL + ":rotate", call="gateway.RotateCredential", body="*", answer="credential"),
    Route(method="POST", path=_CREDENTIAL + ":verify", call="gateway.VerifyCredential", answer="credential"),
    Route(method="GET", path="/v1/endpoints", call="gateway.ListEndpoints"),
]
_WEBHOOKS = [
    Route(method="GET", path="/v1/webhooks", call="webhooks.ListWebhookEndpoints"),
    Route(
        method="POST",
        path="/v1/webhooks",
        call="webhooks.CreateWebhookEndpoint",
        body="webhook_endpoint",
        status=201,
    ),
    Route(method="GET", path=_HOOK, call="webhooks.GetWebhookEndpoint", answer="webhook_endpoint"),
    Route(
        method="PATCH",
        path=_HOOK,
        call="webhooks.UpdateWebhookEndpoint",
        body="webhook_endpoint",
        answer="webhook_endpoint",
    ),
    Route(method="DELETE", path=_HOOK, call="webhooks.DeleteWebhookEndpoint", status=204),
    Route(method="POST", path=_HOOK + ":rotate_secret", call="webhooks.RotateWebhookSecret", body="*"),
    Route(method="POST", path=_HOOK + ":test", call="webhooks.TestWebhookEndpoint", answer="webhook_delivery"),
    Route(method="GET", path=_HOOK + "/deliveries", call="webhooks.ListWebhookDeliveries"),
    Route(method="POST", path=_HOOK + "/deliveries:replay", call="webhooks.ReplayWebhookDeliveries", body="*"),
    Route(
        method="GET",
        path="/v1/webhook_deliveries/{webhook_delivery_id}",
        call="webhooks.GetWebhookDelivery",
        answer="webhook_delivery",
    ),
]


def _letters(service: str) -> list[Route]:
    """The dead letters of one service: each keeps its own."""
    calls, place = f"letters@{service}.", f"/v1/ops/dead_letters/{service}"
    one = place + "/{event_id}"
    return [
        Route(method="GET", path=place, call=calls + "ListDeadLetters"),
        Route(method="GET", path=one, call=calls + "GetDeadLetter", answer="dead_letter"),
        Route(method="POST", path=one + ":retry", call=calls + "RetryDeadLetter", answer="dead_letter"),
        Route(method="POST", path=one + ":discard", call=calls + "DiscardDeadLetter", body="*", answer="dead_letter"),
    ]


def _process(service: str) -> list[Route]:
    """What one process of a service is asked about itself, and about what was decided there."""
    ops, audit, place, book = f"ops@{service}.", f"audit@{service}.", f"/v1/ops/services/{service}", "/v1/ops/audit/"
    return [
        Route(method="GET", path=place, call=ops + "GetStatus"),
        Route(method="GET", path=place + "/config", call=ops + "DumpConfig"),
        Route(method="GET", path=place + "/stuck", call=ops + "ListStuck"),
        Route(method="POST", path=place + ":set_log_level", call=ops + "SetLogLevel", body="*"),
        Route(method="POST", path=place + ":replay_outbox", call=ops + "ReplayOutbox", body="*"),
        Route(method="GET", path=book + service, call=audit + "ListAuditEntries"),
        Route(method="GET", path=f"{book}{service}:verify", call=audit + "VerifyAudit"),
    ]


_OPS = [
    Route(method="GET", path="/v1/ops/queues", call="jobs.GetQueueStats"),
    *(route for service in ("job", "provider_gateway", "compiler") for route in _letters(service)),
    *(route for service in ("storyboard", "job", "provider_gateway", "compiler") for route in _process(service)),
]
_TOKENS = [
    Route(method="GET", path="/v1/tokens", call="tokens.ListApiTokens"),
    Route(method="POST", path="/v1/tokens", call="tokens.CreateApiToken", body="api_token", status=201),
    Route(method="POST", path="/v1/tokens/{api_token_id}:revoke", call="tokens.RevokeApiToken", answer="api_token"),
]

_SESSIONS = [
    Route(method="GET", path="/v1/session", call="sessions.GetCaller", answer="caller"),
    Route(method="POST", path="/v1/sessions", call="sessions.CreateSession", body="*", status=201),
    Route(method="GET", path="/v1/sessions", call="sessions.ListSessions"),
    Route(method="POST", path="/v1/sessions/{session_id}:end", call="sessions.EndSession", answer="session"),
    Route(method="POST", path="/v1/tickets", call="sessions.CreateTicket", body="*", status=201),
    Route(method="POST", path="/v1/tickets:redeem", call="sessions.RedeemTicket", body="*", status=201),
]

_PEOPLE = [
    Route(method="GET", path="/v1/people", call="people.ListPeople"),
    Route(method="GET", path=_PERSON, call="people.GetPerson", answer="person"),
    Route(method="PATCH", path=_PERSON, call="people.UpdatePerson", body="person", answer="person", seen=True),
    Route(method="DELETE", path=_PERSON, call="people.RemovePerson", answer="person", seen=True),
    Route(method="POST", path=_PERSON + ":restore", call="people.RestorePerson", answer="person"),
    Route(method="GET", path="/v1/invitations", call="people.ListInvitations"),
    Route(method="POST", path="/v1/invitations", call="people.CreateInvitation", body="invitation", status=201),
    Route(method="POST", path=_INVITATION + ":revoke", call="people.RevokeInvitation", answer="invitation"),
]

ROUTES = [*_SESSIONS, *_PEOPLE, *_BOARDS, *_FILMING, *_FILMS, *_SHARES, *_MONEY, *_WEBHOOKS, *_OPS, *_TOKENS]
"""All of them."""
