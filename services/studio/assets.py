"""The files that pages are made with: addresses that change with their content, kept by browsers for ever."""

import hashlib
import pathlib

from starlette import responses, staticfiles, types

_FOLDER = pathlib.Path(__file__).parent / "static"
_FOR_EVER, _NOT_KEPT = "public, max-age=31536000, immutable", "no-store"


class Assets:
    """Everything in static/: ours, and what packages brought to static/vendor (front/build.py)."""

    def __init__(self) -> None:
        self._digest = _digest()
        self._files = staticfiles.StaticFiles(directory=_FOLDER)

    def url(self, name: str) -> str:
        """The address of a file of static/, such as `studio.css`."""
        return f"/static/{self._digest}/{name}"

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        """Serve `/{digest}/{name}`; under the digest of another version, for one page only."""
        digest, _, name = scope["path"].removeprefix("/static/").partition("/")
        response: responses.Response = await self._files.get_response(name, scope)
        response.headers["cache-control"] = _FOR_EVER if digest == self._digest else _NOT_KEPT
        await response(scope, receive, send)


def _digest() -> str:
    told = hashlib.sha256()
    for path in sorted(path for path in _FOLDER.rglob("*") if path.is_file()):
        told.update(path.relative_to(_FOLDER).as_posix().encode() + b"\0" + path.read_bytes())
    return told.hexdigest()[:12]
