"""How much a page takes: what is larger than any form of ours is not read to its end."""

import fastapi
from starlette import datastructures, types

_MOST_FORM, _MOST_FILES = 1_000_000, 25_000_000
"""Bytes: of words, and of a form with files; what a file may have is for the page that takes it."""


class TooLarge(fastapi.HTTPException):
    """A form is larger than any of ours."""

    def __init__(self) -> None:
        super().__init__(413)


class Bounded:
    """An application around the pages: reading more of a form than may be raises TooLarge."""

    def __init__(self, inside: types.ASGIApp) -> None:
        self._inside = inside

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        """One request."""
        kind = datastructures.Headers(scope=scope).get("content-type", "").strip().lower()
        left = _MOST_FILES if kind.startswith("multipart/") else _MOST_FORM

        async def counted() -> types.Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise TooLarge
            return message

        await self._inside(scope, counted, send)
