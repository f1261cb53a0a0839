"""The language model that costs nothing: chat completions whose answers are made from what was asked."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.sandbox import disaster, domain, fields, lab, refusal, wire

MODEL = "sandbox-writer-1"
_LONGEST = 2_000_000
_MOST = 100
_SUBJECT = re.compile(r"[^,.;:!?]{1,200}")
_SAID = re.compile(r'"([^"\n]{1,500})"|“([^”\n]{1,500})”')
_PARAGRAPHS = re.compile(r"\n[ \t]*\n\s*")
_SECONDS = range(2, 9)
_WORDS_A_SECOND = 5
_EMPTY = ("camera", "lighting", "mood", "dialogue", "caption", "setting")


def routes(films: lab.Lab) -> list[BaseRoute]:
    """`/v1/chat/completions`. The disasters of a create are those of a chat; what comes of it is in no ledger."""

    async def endpoint(request: Request) -> Response:
        try:
            key = fields.credential(request)
            if refused := refusal.of(disaster.read(key, ""), MODEL, lambda mode, times: True, films.clock()):
                raise refused
            return JSONResponse(_completion(await wire.json_object(request)))
        except wire.Refused as refused:
            return _error(refused)
        except disaster.Unknown as unknown:
            return _error(wire.Refused(400, "unknown_disaster", str(unknown)))

    return [Route("/v1/chat/completions", endpoint, methods=["POST"])]


def _error(refused: wire.Refused) -> Response:
    fault = {"message": refused.message, "type": "invalid_request_error", "param": refused.param, "code": refused.code}
    return JSONResponse({"error": fault}, refused.status, refused.headers)


def _completion(body: Mapping[str, Any]) -> dict[str, Any]:
    text = _last_words(body)
    said = _whole(_answer(_schema(body), text))
    usage = {"prompt_tokens": len(text) // 4, "completion_tokens": len(said) // 4}
    return {
        "id": f"chatcmpl-{domain.digest(text + said)[:24]}",
        "object": "chat.completion",
        "created": 0,
        "model": str(body.get("model") or MODEL),
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}],
        "usage": usage | {"total_tokens": sum(usage.values())},
    }


def _last_words(body: Mapping[str, Any]) -> str:
    """What the user said last. Raises Refused."""
    messages = body.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    text = last.get("content") if isinstance(last, dict) else None
    if not isinstance(text, str) or len(text) > _LONGEST:
        raise fields.invalid("messages", text, f"texts of at most {_LONGEST} characters")
    return _whole(text)


def _whole(text: str) -> str:
    """Without halves of characters, which JSON can hold and UTF-8 cannot."""
    return text.encode(errors="replace").decode()


def _schema(body: Mapping[str, Any]) -> str:
    format = body.get("response_format")
    schema = format.get("json_schema") if isinstance(format, dict) else None
    return str(schema.get("name")) if isinstance(schema, dict) else ""


def _answer(schema: str, text: str) -> str:
    """JSON for the schemas that are known here; a script or an instruction that begins with a brace is the answer."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    material: dict[str, Any] = told if isinstance(told, dict) else {"script": text, "instruction": text}
    makes: Mapping[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
        "scenes": ("script", _scenes),
        "scene": ("instruction", _scene),
    }
    if schema not in makes:
        return text
    source, make = makes[schema]
    words = str(material.get(source, ""))
    return words if words.lstrip().startswith("{") else json.dumps(make(material), ensure_ascii=False)


def _scenes(material: Mapping[str, Any]) -> dict[str, Any]:
    """One scene for each paragraph; whoever of the known people is named in it is in its cast."""
    people = material.get("characters")
    names = [str(one.get("name", "")) for one in people if isinstance(one, dict)] if isinstance(people, list) else []
    paragraphs = [one.strip() for one in _PARAGRAPHS.split(str(material.get("script", ""))) if one.strip()]
    most = material.get("most_scenes")
    return {
        "characters": [],
        "scenes": [
            _shot(number, text, [name for name in names if name and name.casefold() in text.casefold()])
            for number, text in enumerate(paragraphs[: most if isinstance(most, int) else _MOST], 1)
        ],
    }


def _shot(number: int, paragraph: str, cast: list[str]) -> dict[str, Any]:
    text = " ".join(paragraph.split())
    match = _SUBJECT.match(text)
    subject = match[0].strip() if match else text[:200]
    seconds = min(max(len(text.split()) // _WORDS_A_SECOND, _SECONDS[0]), _SECONDS[-1])
    said = "\n".join(_spoken(text))[:2000]
    shown = {"title": f"Scene {number}", "subject": subject, "action": text[:2000], "duration": seconds, "cast": cast}
    return dict.fromkeys(_EMPTY, "") | shown | {"dialogue": said}


def _spoken(text: str) -> Iterator[str]:
    for match in _SAID.finditer(text):
        yield match[1] or match[2]


def _scene(material: Mapping[str, Any]) -> dict[str, Any]:
    """The same words with the instruction behind the action, and a camera where there was none."""
    scene = material.get("scene")
    words = {str(name): str(text) for name, text in scene.items()} if isinstance(scene, dict) else {}
    more = " ".join(str(material.get("instruction", "")).split())[:500]
    words["action"] = f"{words.get('action', '')} {more or 'in fine detail'}".strip()[:2000]
    words["camera"] = words.get("camera") or "medium shot at eye level, 50 mm, static"
    return words
