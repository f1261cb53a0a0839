"""A film's plan in the formats of other editors: text, exact in frames, written from its manifest alone."""

from collections.abc import Callable
from dataclasses import dataclass

from services.compiler.manifest import Manifest
from services.compiler.timelines import edl, fcpxml, otio, shots


@dataclass(frozen=True, slots=True)
class Format:
    """How a timeline is written, what it is to a browser, and what people save it as behind the film's title."""

    write: Callable[[Manifest], str]
    content_type: str
    suffix: str


FORMATS = {
    "OTIO": Format(otio.write, "application/json", ".otio"),
    "FCPXML": Format(fcpxml.write, "application/xml", ".fcpxml"),
    "EDL": Format(edl.write, "text/plain; charset=utf-8", ".edl"),
    "CSV": Format(shots.write, "text/csv; charset=utf-8", ".csv"),
}
"""By the names they have in the API."""
