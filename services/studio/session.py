"""Who a browser is: a cookie that holds a bearer token, believed only on requests of our own pages."""

from collections.abc import Iterable

from starlette import datastructures, requests, responses, types

from libs import auth
from services.studio import door

TOKEN, AWAY = "rushes_session", "rushes_signin"
"""What is kept: who the browser is; and, for ten minutes, what it must bring back from an OpenID provider."""
_SAFE = ("GET", "HEAD", "OPTIONS")


def admit(scope: types.Scope, by: door.Door) -> types.Scope:
    """The request as the services should see it: with the cookie's token as its bearer token, if it brings no other,
    and as the studio's.

    A request that changes something brings the cookie from our own pages only: another site's is left without it.
    """
    headers = datastructures.Headers(scope=scope)
    token = _kept(headers.getlist("cookie"), _name(TOKEN, is_secure(scope, by)))
    if not token or "authorization" in headers or is_foreign(scope, by):
        return scope
    brought = [(b"authorization", f"Bearer {token}".encode()), (auth.CLIENT.encode(), b"studio")]
    return {**scope, "headers": [*scope["headers"], *brought]}


def is_foreign(scope: types.Scope, by: door.Door) -> bool:
    """Whether another site's page may have sent this to change something. Browsers say where a request is from, and
    those too old for that name at least its origin; what says nothing is no browser, and needs a token of its own.
    """
    headers = datastructures.Headers(scope=scope)
    if scope["method"] in _SAFE:
        return False
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin", "")
    if by.origin:
        return origin != by.origin
    return origin.partition("://")[2] != headers.get("host") or not origin.startswith(("http://", "https://"))


def is_secure(scope: types.Scope, by: door.Door) -> bool:
    """Whether the browser came over TLS."""
    return by.is_secure or scope.get("scheme") == "https"


def keep(response: responses.Response, name: str, value: str, seconds: int | None, secure: bool) -> None:
    """Have the browser keep this; scripts cannot read it, and other sites cannot send it with what changes anything.

    Without `seconds` it is kept until the browser is closed.
    """
    response.set_cookie(
        _name(name, secure), value, max_age=seconds, secure=secure, httponly=True, samesite="lax", path="/"
    )


def drop(response: responses.Response, name: str, secure: bool) -> None:
    """Have the browser forget it."""
    response.delete_cookie(_name(name, secure), secure=secure, httponly=True, samesite="lax", path="/")


def kept(request: requests.Request, name: str, by: door.Door) -> str:
    """What the browser has kept under this name; empty for nothing."""
    return _kept(request.headers.getlist("cookie"), _name(name, is_secure(request.scope, by)))


def _name(name: str, secure: bool) -> str:
    """Browsers keep `__Host-` for the one host that set it over TLS, and no neighbour can set it for us."""
    return f"__Host-{name}" if secure else name


def _kept(cookies: Iterable[str], name: str) -> str:
    """Other programs of this host set cookies too, and not all of them are well-formed."""
    for pair in ";".join(cookies).split(";"):
        key, _, value = pair.strip().partition("=")
        if key == name:
            return value if value.isascii() and value.isprintable() else ""
    return ""
