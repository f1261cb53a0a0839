"""The language model behind chat completions with a JSON schema: one try, one deadline, nothing said in a log."""

import asyncio
import json
import logging
from typing import Any

import httpx2
import openai

from services.storyboard import writer

log = logging.getLogger(__name__)

DEADLINE_S = 60.0
_LONGEST_WAIT_S = 3600.0


class Model:
    """A model behind a server that speaks the OpenAI chat completions."""

    def __init__(self, key: str, base_url: str, model: str, deadline_s: float = DEADLINE_S) -> None:
        wire = httpx2.AsyncClient(follow_redirects=False, trust_env=False, timeout=deadline_s)
        self._sdk = openai.AsyncOpenAI(
            api_key=key, base_url=base_url, max_retries=0, timeout=deadline_s, http_client=wire
        )
        self._sdk.organization = self._sdk.project = None  # else those of the environment go along
        self._model, self._deadline_s = model, deadline_s

    async def answer(self, task: writer.Task) -> Any:
        """One call; whatever comes of it, it is not repeated here."""
        try:
            async with asyncio.timeout(self._deadline_s):
                said = await self._said(task)
        except openai.RateLimitError as error:
            raise writer.WriterBusy(_seconds(error.response.headers.get("retry-after"))) from None
        except openai.APIStatusError as error:
            log.warning("writer_refused", extra={"status": error.status_code, "task": task.name})
            if error.status_code >= 500:
                raise writer.WriterAway from None
            raise writer.WriterRefused(status=error.status_code) from None
        except (openai.OpenAIError, TimeoutError) as error:
            log.warning("writer_away", extra={"why": type(error).__name__, "task": task.name})
            raise writer.WriterAway from None
        except ValueError:
            raise writer.WriterUnclear(why="its server did not answer with JSON") from None
        return writer.read(said)

    async def _said(self, task: writer.Task) -> str:
        answer: Any = await self._sdk.chat.completions.create(
            model=self._model,
            messages=[
                {"role": "system", "content": task.order},
                {"role": "user", "content": json.dumps(task.material, ensure_ascii=False)},
            ],
            response_format={
                "type": "json_schema",
                "json_schema": {"name": task.name, "schema": dict(task.schema), "strict": True},
            },
        )
        # The SDK checks nothing of an answer: any of this may be missing, or of another kind.
        choices = getattr(answer, "choices", None)
        first = choices[0] if isinstance(choices, list) and choices else None
        said = getattr(getattr(first, "message", None), "content", None)
        if not isinstance(said, str) or not said:
            raise writer.WriterUnclear(why="it said nothing")
        return said

    async def close(self) -> None:
        """Close the connections."""
        await self._sdk.close()


def _seconds(text: str | None) -> float | None:
    digits = text is not None and text.isascii() and text.isdigit() and len(text) < 10
    return min(float(text), _LONGEST_WAIT_S) if digits and text else None
