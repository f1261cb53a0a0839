"""The captions of a film as WebVTT at an address of the studio: a player takes them from no other."""

from collections.abc import Iterator

from rushes.compiler.v1 import film_pb2

_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def has(film: film_pb2.Film) -> bool:
    """Whether there are any to switch on."""
    is_placed = len(film.chapters) == len(film.edit_list.cuts)
    return is_placed and not film.edit_list.captions.burnt and any(cut.captions for cut in film.edit_list.cuts)


def vtt(film: film_pb2.Film) -> str:
    """All of them, each within its cut."""
    return "\n".join(["WEBVTT\n", *_cues(film)]) if has(film) else "WEBVTT\n"


def _cues(film: film_pb2.Film) -> Iterator[str]:
    rate = film.profile.frame_rate.numerator / film.profile.frame_rate.denominator
    for cut, chapter in zip(film.edit_list.cuts, film.chapters, strict=True):
        start, end = (it.ToMilliseconds() / 1000 for it in (chapter.start, chapter.end))
        for caption in cut.captions:
            first = start + caption.first_frame / rate
            last = min(first + caption.frames / rate, end) if caption.frames else end
            if first < last:
                lines = "\n".join(filter(None, caption.text.translate(_ESCAPED).splitlines()))
                yield f"{_clock(first)} --> {_clock(last)}\n{lines}\n"


def _clock(seconds: float) -> str:
    minutes, millis = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{millis // 1000:02}.{millis % 1000:03}"
