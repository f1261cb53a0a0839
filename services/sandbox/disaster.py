"""The lies that can be asked for: `+name(argument)` in an API key, or `[[name(argument)]]` in a prompt."""

import enum
import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field


class Mode(enum.StrEnum):
    """One lie. An argument that is left out has the value of `_DEFAULTS`; times are seconds."""

    # What becomes of a create.
    REFUSED = "refused"
    """Moderation at once: 400, nothing is created."""
    GONE = "gone"
    """`gone(404)` or `gone(410)`: the model "is no longer available"; polls and downloads go on."""
    BUSY = "busy"
    """`busy(n)`: the first n creates of a submission answer 503, and nothing is created."""
    THROTTLED = "throttled"
    """`throttled(form,n)`: the first n creates answer 429; the form says where Retry-After stands (see `FORMS`)."""
    ERROR_JSON_200 = "error_json_200"
    """An error envelope with status 200; nothing is created."""
    DROP_REPLY = "drop_reply"
    """The create is taken and charged as usual, and the connection closed without an answer."""
    LATE_CREATE = "late_create"
    """`late_create(s)`: the connection is closed at once, and the create is taken s seconds later."""
    ERROR_AFTER_CREATE = "error_after_create"
    """The create is taken and charged as usual, and answered with 500."""
    DUPLICATE_CREATE = "duplicate_create"
    """The provider's own bug: one create makes two jobs and two charges; the first is answered."""
    ID_MISSING = "id_missing"
    """The create is taken, and every field that holds its id is left out of the answer."""
    ID_COLLISION = "id_collision"
    """The create is taken, and answered with the id of the job that this key created before."""
    KEY_REVOKED = "key_revoked"
    """From the moment that the job exists, its key is answered 401."""

    # What polls and lists say.
    HIDDEN = "hidden"
    """`hidden(n)`: the first n polls answer 404."""
    LIST_LAG = "list_lag"
    """`list_lag(s)`: the job is in no list for its first s seconds."""
    STATUS_FLAP = "status_flap"
    """Done in one poll, running in the next, then done."""
    EMPTY_SUCCESS = "empty_success"
    """Done and charged, without a video."""

    # How the work ends.
    SLOW = "slow"
    """`slow(s)`: done s seconds after its create."""
    NEVER_DONE = "never_done"
    """In progress for ever."""
    FAILS = "fails"
    """The work fails, and is not charged."""
    FAILS_CHARGED = "fails_charged"
    """The work fails, and is charged."""
    FILTERED = "filtered"
    """Moderation at the end: the dialect's own shape for a clip that may not be shown; not charged."""
    PRICE = "price"
    """`price(factor)`: charges and reports the price times a factor, which may be negative."""
    CANCEL_IGNORED = "cancel_ignored"
    """A cancel is answered, and the work goes on and is charged."""
    CANCEL_CHARGED = "cancel_charged"
    """A cancel stops the work, and charges it."""

    # What a download gives; a count is of downloads, and without one it is all of them.
    TRUNCATED = "truncated"
    """`truncated(n)`: half of the clip, under a Content-Length that agrees."""
    WRONG_LENGTH = "wrong_length"
    """`wrong_length(n)`: Content-Length promises the clip, and the connection closes after half of it."""
    WRONG_TYPE = "wrong_type"
    """`wrong_type(n)`: an HTML page with status 200."""
    ZERO_BYTES = "zero_bytes"
    """`zero_bytes(n)`: status 200 and nothing."""
    SLOW_DRIP = "slow_drip"
    """`slow_drip(b)`: b bytes a second."""
    URL_EXPIRES = "url_expires"
    """`url_expires(s)`: 403 from s seconds after the end of the work."""
    URL_GONE = "url_gone"
    """`url_gone(n)`: 404."""
    MOVES_HOST = "moves_host"
    """A redirect to another host, which is the sandbox as well and asks for no key."""
    REDIRECT_PRIVATE = "redirect_private"
    """A redirect to the address of cloud metadata, 169.254.169.254."""
    REDIRECT_LOOP = "redirect_loop"
    """A redirect to itself."""

    # What the callback of the job does, where the create gave an address for it.
    WEBHOOK_NONE = "webhook_none"
    """It never comes."""
    WEBHOOK_TWICE = "webhook_twice"
    """It comes twice, the same to the byte."""
    WEBHOOK_FORGED = "webhook_forged"
    """Its body was changed after it was signed."""
    WEBHOOK_EARLY = "webhook_early"
    """It comes before the create is answered: the answer waits for the end of the work."""
    WEBHOOK_LATE = "webhook_late"
    """`webhook_late(s)`: it comes s seconds after the end of the work."""

    # Servers that speak the OpenAI dialect in their own way; chosen by the key only.
    VLLM = "vllm"
    """As vLLM-Omni: a failed job answers with the status of its error; content that is not ready answers 404."""
    SGLANG = "sglang"
    """As SGLang with cloud storage: `variant` is a number, content answers 400, and the clip is at `url`."""
    LITELLM = "litellm"
    """As the LiteLLM proxy: status `processing`, most fields null, no list and no delete."""


FORMS = ("seconds", "date", "ms", "google", "text", "absurd", "none")
"""Where a 429 says how long to wait: Retry-After in seconds or as a date, retry-after-ms, google.rpc.RetryInfo in the
body, the message, a year, or nowhere."""
ALWAYS = math.inf
_DEFAULTS: Mapping[Mode, float] = {
    Mode.GONE: 404,
    Mode.BUSY: 1,
    Mode.LATE_CREATE: 3,
    Mode.DROP_REPLY: ALWAYS,
    Mode.ERROR_AFTER_CREATE: ALWAYS,
    Mode.HIDDEN: 2,
    Mode.LIST_LAG: 30,
    Mode.SLOW: 5,
    Mode.PRICE: 2,
    Mode.TRUNCATED: ALWAYS,
    Mode.WRONG_LENGTH: ALWAYS,
    Mode.WRONG_TYPE: ALWAYS,
    Mode.ZERO_BYTES: ALWAYS,
    Mode.SLOW_DRIP: 1024,
    Mode.URL_EXPIRES: 1,
    Mode.URL_GONE: ALWAYS,
    Mode.WEBHOOK_LATE: 5,
}
"""The modes that take a number, and the number without one."""
_MOST = 1_000_000
_PART = re.compile(r"\s*(\w+)\s*(?:\(([^()]*)\))?\s*")
_IN_PROMPT = re.compile(r"\s*\[\[([^\[\]]*)\]\]")


class Unknown(Exception):
    """A disaster that is not in the list, or an argument that it does not take; the message says what is."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The disasters of one submission: `Mode.SLOW in plan`, `plan.number(Mode.SLOW)`. False when there are none."""

    modes: Mapping[Mode, str] = field(default_factory=dict)

    def __contains__(self, mode: Mode) -> bool:
        return mode in self.modes

    def __bool__(self) -> bool:
        return bool(self.modes)

    def __str__(self) -> str:
        """The plan as `parse` reads it."""
        return "+".join(f"{mode}({argument})" if argument else mode for mode, argument in self.modes.items())

    def number(self, mode: Mode) -> float:
        """The argument of a mode in the plan that takes a number, or its default."""
        return float(self.modes[mode] or _DEFAULTS[mode])

    def throttle(self) -> tuple[str, float]:
        """The form of the 429s, and how many there are."""
        form, _, count = self.modes[Mode.THROTTLED].partition(",")
        return form.strip() or FORMS[0], float(count or 1)


NONE = Plan()


def read(key: str, prompt: str) -> Plan:
    """The disasters that a key and a prompt ask for; the prompt decides where both do. Raises Unknown."""
    if "+" not in key and "[[" not in prompt:
        return NONE
    of_key, of_prompt = parse(key.partition("+")[2]), parse("+".join(_IN_PROMPT.findall(prompt)))
    return Plan({**of_key.modes, **of_prompt.modes})


def clean(prompt: str) -> str:
    """The prompt without what it asks for in double brackets."""
    return _IN_PROMPT.sub("", prompt).strip() if "[[" in prompt else prompt


@functools.lru_cache(1024)
def parse(text: str) -> Plan:
    """The plan of `name+name(argument)`. Raises Unknown."""
    if not text:
        return NONE
    parts = [_PART.fullmatch(part) for part in text.split("+")]
    return Plan(dict(_checked(*part.groups()) if part else _checked(text, None) for part in parts))


def _checked(name: str, argument: str | None) -> tuple[Mode, str]:
    argument = (argument or "").strip()
    try:
        mode = Mode(name.lower())
        plan = Plan({mode: argument})
        good = _takes_throttle(plan) if mode is Mode.THROTTLED else _takes_number(plan, mode)
    except ValueError:
        good = False
    if not good:
        raise Unknown(f"The sandbox knows no disaster {name[:40]!r} with this argument. It knows: {', '.join(Mode)}.")
    return mode, argument


def _takes_number(plan: Plan, mode: Mode) -> bool:
    if mode not in _DEFAULTS or not plan.modes[mode]:
        return not plan.modes[mode]
    number = plan.number(mode)
    if mode is Mode.GONE:
        return number in (404, 410)
    return abs(number) <= _MOST if mode is Mode.PRICE else 0 < number <= _MOST


def _takes_throttle(plan: Plan) -> bool:
    form, count = plan.throttle()
    return form in FORMS and count >= 1
