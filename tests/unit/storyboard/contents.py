"""Every storyboard that the service accepts, as hypothesis makes them: full of what formats stumble over."""

import re

from hypothesis import strategies as st

from services.storyboard import domain, presets

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
SNARES = (
    "\n", "\n\n", "\r\n", "\r", "\t", " ", "  ", ":", ": ", "#", "##", "- ", "!", "@", "~", ">", "<", "> x <", "=",
    "===", "(", ")", "(soft)", "[[", "]]", "[[rushes: {}]]", "/*", "*/", "INT. ", "EXT. HALL - DAY", "CUT TO:",
    "FADE IN:", ".", "..", ".x", "#1#", "*", "**", "_", "'", "''", '"', '""', ",", ";", "; ", "=1+1", "+1", "-1",
    "@SUM", "\uff1d1", "null", "true", "no", "16:9", "007", "1e3", "{", "}", "[", "]", '["a"]', "\\", "\\u0041", "%",
    "&", "*a", "<script>", "MARA", "Mara", "Mara: hello", "Zoë (softly): yes", "ß", "\u017f", "\u0130", "\u2028",
    "\x85", "\xa0", "\ufeff", "\u3000", "😀", "Title: x", "board", "None", "sep=;", "rushes:", "\u202e", "e\u0301",
)  # fmt: skip
PIECES = st.one_of(st.sampled_from(SNARES), st.text(st.characters(codec="utf-8"), max_size=6))


def words(most: int, least: int = 0) -> st.SearchStrategy[str]:
    """A text as the service keeps it: without control characters, nothing blank around it."""
    kept = st.lists(PIECES, max_size=8).map(lambda pieces: CONTROL.sub("", "".join(pieces)).strip()[:most].strip())
    return kept.filter(lambda text: len(text) >= least)


NAMES = st.one_of(st.sampled_from(["Mara", "MARA", "Zoë", "O'Brien", "a;b", "Smith, John", "[x]"]), words(100, least=1))
STILLS = st.lists(
    st.builds(
        domain.Blob,
        key=words(50, least=1),
        content_type=st.just("image/png"),
        size_bytes=st.integers(1, 2**40),
        sha256=st.just("ab" * 32),
    ),
    max_size=2,
).map(tuple)
PEOPLE = st.builds(
    domain.Character,
    name=NAMES,
    profile=words(100),
    identity_tag=st.sampled_from(["", "character:mara_id:0123abcd", "character:zoë-x_id:00000000"]),
    references=STILLS,
)
PLACES = st.builds(domain.Location, name=NAMES, description=words(100), references=STILLS)
THINGS = st.builds(domain.Prop, name=NAMES, description=words(100))


def some(things: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(things, max_size=4, unique_by=lambda thing: thing.name).map(tuple)


def among(named: tuple) -> st.SearchStrategy:
    names = [thing.name for thing in named]
    return st.lists(st.sampled_from(names), unique=True, max_size=3).map(tuple) if names else st.just(())


@st.composite
def contents(draw: st.DrawFn) -> domain.Content:
    """A whole board."""
    people, places, things = draw(some(PEOPLE)), draw(some(PLACES)), draw(some(THINGS))
    said = [st.just(""), words(60)] + [words(20).map(lambda text, name=one.name: f"{name}: {text}") for one in people]
    scene = st.builds(
        domain.Scene,
        title=words(60),
        subject=words(60, least=1),
        action=words(100),
        setting=words(30),
        camera=words(30),
        lighting=words(30),
        mood=words(30),
        dialogue=st.lists(st.one_of(said), max_size=3).map(lambda lines: "\n".join(lines).strip()),
        seconds=st.integers(1, 60),
        seam=st.sampled_from(domain.Seam),
        cast=among(people),
        location=st.sampled_from(["", *(place.name for place in places)]),
        props=among(things),
        model=words(30),
        negative_prompt=words(30),
        seed=st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
        caption=words(30),
    )
    return domain.Content(
        name=draw(words(60, least=1)),
        logline=draw(words(60)),
        preset=draw(st.sampled_from(["", *presets.BY_KEY])),
        size=draw(st.sampled_from([None, domain.Size(width=128, height=7680)])),
        model=draw(words(20)),
        silent=draw(st.booleans()),
        characters=people,
        locations=places,
        props=things,
        scenes=tuple(draw(st.lists(scene, max_size=3))),
    )
