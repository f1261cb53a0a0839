"""By which words a storyboard is found: pure, and the same for what is stored and what is asked."""

import hashlib
import re
import unicodedata
from collections.abc import Iterator

from services.storyboard import domain

MOST = 5000
"""Words of one storyboard that can be searched: a tsvector holds a megabyte."""

_LONGEST = 40
# Scripts that write no blanks between words are searched by the character.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+")
_SIGN = re.compile(r"[^\w\s]|_")


def of_storyboard(content: domain.Content, tenant_id: str) -> list[str]:
    """What it is filed under: every end of every word of the name (so that "house" finds "Lighthouse"), its signs, and
    the words of the text; each behind a mark of the tenant, so that no tenant's words slow another's search.
    """
    found = {word[start:]: None for word in _words(content.name) for start in range(len(word))}
    found |= dict.fromkeys(_SIGN.findall(content.name))
    for text in _texts(content):
        found |= dict.fromkeys(_words(text))
        if len(found) > MOST:
            break
    mark = _mark(tenant_id)
    return [mark + word for word in list(found)[:MOST]]


def query(text: str, tenant_id: str) -> str:
    """A tsquery for storyboards that have all these words, each as the beginning of one of theirs; signs count only
    where nothing else is asked. Empty when nothing is asked.
    """
    asked = list(_words(text)) or _SIGN.findall(text)
    quoted = [(_mark(tenant_id) + word).replace("\\", "\\\\").replace("'", "''") for word in dict.fromkeys(asked)]
    return " & ".join(f"'{word}':*" for word in quoted)


def _mark(tenant_id: str) -> str:
    return hashlib.sha256(tenant_id.encode()).hexdigest()[:4] + "."


def _words(text: str) -> Iterator[str]:
    # Accents are dropped: who looks for Zoe means Zoë too.
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    for word in _WORD.findall(plain.casefold()):
        yield word[:_LONGEST]


def _texts(content: domain.Content) -> Iterator[str]:
    yield content.logline
    for person in content.characters:
        yield from (person.name, person.profile)
    for place in content.locations:
        yield from (place.name, place.description)
    for thing in content.props:
        yield from (thing.name, thing.description)
    for scene in content.scenes:
        yield from (scene.title, scene.subject, scene.action, scene.setting, scene.dialogue, scene.caption)
        yield from (scene.camera, scene.lighting, scene.mood)
