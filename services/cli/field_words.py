"""Plain words for a field of a file that is not what it should be."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

import pydantic
import pydantic_core

from services.cli import yaml_file

_NO_NUMBER = ("is {given}, not a whole number", "Write digits only, such as 4.")
_NO_FLOAT = ("is {given}, not a number", "Write a number such as -3 or 1.5.")
_NO_GROUP = ("is {given}, not a group of fields", "Write fields such as `name: ...` below it.")
_WORDS = {
    "missing": ("is missing", "Add it."),
    "string_too_short": ("is empty", "Write something."),
    "string_too_long": ("has more than {max_length} characters", "Shorten it."),
    "string_type": ("is {given}, not text", "Write plain text."),
    "int_parsing": _NO_NUMBER,
    "int_type": _NO_NUMBER,
    "int_from_float": _NO_NUMBER,
    "int_parsing_size": _NO_NUMBER,
    "float_parsing": _NO_FLOAT,
    "float_type": _NO_FLOAT,
    "finite_number": _NO_FLOAT,
    "greater_than_equal": ("is {raw}, which is too small", "Use {ge} or more."),
    "less_than_equal": ("is {raw}, which is too large", "Use {le} or less."),
    "bool_parsing": ("is {given}", "Use true or false."),
    "bool_type": ("is {given}", "Use true or false."),
    "list_type": ("is {given}, not a list", "Start each entry on its own line with a dash."),
    "too_short": ("is empty", "Add at least one."),
    "too_long": ("has {actual_length} entries, at most {max_length} are allowed", "Remove some."),
}
"""What is wrong and the remedy, by pydantic's type of error."""


def explain(
    fault: pydantic_core.ErrorDetails,
    what: str,
    fields: Mapping[str, pydantic.fields.FieldInfo],
    meant: Mapping[str, str],
) -> yaml_file.Broken:
    """What is wrong and the remedy, of a file that is `what`; `fields` are those that there are in this place.

    `meant` says for what people write which field or word they mean, where the spelling is too far away to guess.
    """
    loc, given, facts = fault["loc"], fault["input"], fault.get("ctx", {})
    if fault["type"] == "extra_forbidden":
        return loc, f"is no field of {what}", did_you_mean(str(loc[-1]), fields, "Remove it.", meant)
    if fault["type"] == "literal_error":
        allowed = [word.strip("'") for word in facts["expected"].replace(" or ", ", ").split(", ")]
        choice = f"Use one of: {', '.join(allowed)}."
        return loc, f"is {shown(given)}", did_you_mean(str(given), allowed, choice, meant)
    if fault["type"] == "string_pattern_mismatch":
        return loc, f"is {shown(given)}", f"Write {' or '.join(fields[str(loc[-1])].examples or ())}."
    wrong, remedy = _WORDS.get(fault["type"], _NO_GROUP)
    return loc, wrong.format(given=shown(given), raw=given, **facts), remedy.format(**facts)


def did_you_mean(given: str, known: Iterable[str], otherwise: str, meant: Mapping[str, str]) -> str:
    """The remedy for a word that is near one of those known."""
    spellings = {name.casefold(): name for name in known}
    spellings |= {said: spellings[name] for said, name in meant.items() if name in spellings}
    near = difflib.get_close_matches(given.casefold(), spellings, n=1, cutoff=0.6)
    return f"Did you mean {spellings[near[0]]}?" if near else otherwise


def shown(given: Any) -> str:
    """What a person wrote, short enough to repeat."""
    if isinstance(given, str):
        return repr(given if len(given) <= 60 else given[:59] + "…")
    return "a list" if isinstance(given, list) else "a group of fields"
