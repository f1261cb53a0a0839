"""What is said on the next page: a sentence, and how to take back what was done; kept by the browser until then."""

import base64
import json
from typing import NamedTuple

from starlette import requests, responses

_NAME = "rushes_said"
_KEPT_S = 30
_BACK = ("/p/", "/settings/")
"""Where what was done can be taken back."""


class Said(NamedTuple):
    """A sentence; `word` and `path` are a button that posts there, empty for none."""

    text: str
    word: str = ""
    path: str = ""


def leave(response: responses.Response, told: Said) -> None:
    """Have it said by the page that this answer leads to."""
    value = base64.urlsafe_b64encode(json.dumps(told).encode()).decode()
    response.set_cookie(_NAME, value, max_age=_KEPT_S, httponly=True, samesite="lax")


def found(request: requests.Request) -> Said | None:
    """What is to be said; a cookie that is not ours says nothing."""
    try:
        text, word, path = map(str, json.loads(base64.urlsafe_b64decode(request.cookies.get(_NAME, ""))))
    except ValueError:
        return None
    return Said(text, word, path if path.startswith(_BACK) else "")


def forget(response: responses.Response) -> None:
    """It is said."""
    response.delete_cookie(_NAME, httponly=True, samesite="lax")


def then(place: str, text: str, word: str = "", path: str = "") -> responses.Response:
    """Go on to a page, which says this."""
    response = responses.RedirectResponse(place, 303)
    leave(response, Said(text, word, path))
    return response
