"""Who a browser is: a cookie that holds a bearer token, believed only on requests of our own pages."""

import datetime
import http.cookies
from collections.abc import Iterable

from starlette import datastructures, responses, types

_NAME = "rushes_session"
_KEPT = datetime.timedelta(days=30)
_SAFE = ("GET", "HEAD", "OPTIONS")


def admit(scope: types.Scope) -> types.Scope:
    """The request as the services should see it: with the cookie's token as its bearer token, if it brings no other.

    A request that changes something brings the cookie from our own pages only: another site's is left without it.
    """
    headers = datastructures.Headers(scope=scope)
    token = _token(headers.getlist("cookie"))
    if not token or "authorization" in headers or not (scope["method"] in _SAFE or _is_ours(headers)):
        return scope
    return {**scope, "headers": [*scope["headers"], (b"authorization", f"Bearer {token}".encode())]}


def begin(response: responses.Response, token: str, secure: bool) -> None:
    """Give the browser this token; scripts cannot read it, and other sites cannot send it."""
    response.set_cookie(
        _name(secure), token, max_age=int(_KEPT.total_seconds()), secure=secure, httponly=True, samesite="lax"
    )


def end(response: responses.Response) -> None:
    """Take the token from the browser."""
    for secure in (True, False):
        response.delete_cookie(_name(secure), secure=secure, httponly=True, samesite="lax")


def _name(secure: bool) -> str:
    """Browsers keep `__Host-` for the one host that set it over TLS; without TLS they refuse it."""
    return f"__Host-{_NAME}" if secure else _NAME


def _token(cookies: Iterable[str]) -> str:
    told: http.cookies.SimpleCookie = http.cookies.SimpleCookie()
    for cookie in cookies:
        told.load(cookie)
    found = told.get(_name(True)) or told.get(_name(False))
    return found.value if found and found.value.isascii() and found.value.isprintable() else ""


def _is_ours(headers: datastructures.Headers) -> bool:
    """Whether the browser says that our own page sent it; one too old to say so names at least its origin."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    return headers.get("origin", "").partition("://")[2] == headers.get("host")
