"""A provider on loopback that says what a test tells it to say, and remembers what it was asked."""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from services.provider_gateway import providers
from tests.unit.provider_gateway import servers

KEY = "secret-key-of-the-desk"


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.content)


@dataclass
class Desk:
    """Answers by method and path; of several answers to the same question, the last is kept."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answers: dict[str, list[tuple[int, bytes, dict[str, str]]]] = field(default_factory=dict)

    def says(self, question: str, body: Any, status: int = 200, **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.setdefault(question, []).append((status, content, told))

    async def answer(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append(Asked(request.method, request.path, dict(request.query), headers, await request.read()))
        answers = self.answers.get(f"{request.method} {request.path}", [(404, b'{"detail": "Not found."}', {})])
        status, content, told = answers.pop(0) if len(answers) > 1 else answers[0]
        return web.Response(status=status, body=content, headers=told, content_type="application/json")

    @property
    def only(self) -> Asked:
        (asked,) = self.asked
        return asked

    def endpoint(self, path: str = "", **more: Any) -> providers.Endpoint:
        return providers.Endpoint("desk", self.url + path, KEY, **more)


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[Desk]:
    """A desk that serves inside the block."""
    desk = Desk()
    async with servers.serving(desk.answer) as port:
        desk.url = f"http://127.0.0.1:{port}"
        yield desk


def order(**changes: Any) -> providers.Order:
    """An order for three seconds of 360p."""
    facts: dict[str, Any] = {
        "submission_id": "sub_01JD", "wire_model": "maker/reel", "prompt": "A boat.", "negative_prompt": "",
        "seconds": 3, "width": 640, "height": 360, "seed": None, "audio": True,
    }  # fmt: skip
    return providers.Order(**facts | changes)
