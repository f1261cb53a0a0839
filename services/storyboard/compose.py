"""Turns a scene into the prompt that a model sees: pure, and the same for the same revision for ever."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.storyboard import dialects, domain, presets

COMPOSER_VERSION = "2"
"""Raise it with every change that alters a prompt: equal versions and revisions promise equal bytes."""

SIZE = domain.Size(width=1280, height=720)

_ENDS = (".", "!", "?", "…", "。", '"', "”")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the prompt as it stands there, and the field it comes from."""

    origin: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What would reach the provider for one scene; `number` counts from 1."""

    scene: domain.Scene
    number: int
    seam: domain.Seam
    parts: tuple[Part, ...]
    negative_parts: tuple[Part, ...]
    dialect: dialects.Dialect
    model: str
    size: domain.Size
    audio: bool
    references: tuple[domain.Blob, ...]
    unused_references: tuple[domain.Blob, ...]

    @property
    def text(self) -> str:
        """The prompt itself."""
        return " ".join(part.text for part in self.parts)

    @property
    def negative_prompt(self) -> str:
        """What must not be seen, for a model that is told so in a field of its own."""
        return ", ".join(part.text for part in self.negative_parts)

    @property
    def lengths(self) -> tuple[int, ...]:
        """The length of the prompt up to the end of each part, in Unicode characters."""
        ends = itertools.accumulate(len(part.text) + 1 for part in self.parts)
        return tuple(end - 1 for end in ends)


def prompts(content: domain.Content, default_model: str, model: str = "") -> tuple[Prompt, ...]:
    """One for each scene, in order; with `model`, all of them for that one."""
    models = [model or scene.model or content.model or default_model for scene in content.scenes]
    return tuple(_prompt(content, number, model) for number, model in enumerate(models, 1))


def _prompt(content: domain.Content, number: int, model: str) -> Prompt:
    scene, preset = content.scenes[number - 1], presets.BY_KEY[content.preset or presets.DEFAULT]
    dialect, unwanted = dialects.of(model), tuple(_unwanted(scene, preset))
    stills, taken = _references(content, scene), dialects.stills(model)
    in_words = dialect is dialects.Dialect.AVOID_WORDS
    return Prompt(
        scene=scene,
        number=number,
        seam=scene.seam if number > 1 else domain.Seam.CUT,
        parts=(*_parts(content, scene, preset), *(_avoided(unwanted) if in_words else ())),
        negative_parts=() if in_words else unwanted,
        dialect=dialect,
        model=model,
        size=content.size or SIZE,
        audio=not content.silent,
        references=stills[:taken],
        unused_references=stills[taken:],
    )


def _parts(content: domain.Content, scene: domain.Scene, preset: presets.Preset) -> Iterator[Part]:
    """Models weigh the first words most, and people scan them: who does what comes before everything else."""
    # An action that begins small goes on with the sentence of its subject.
    goes_on = scene.action.strip()[:1].islower() and not scene.subject.strip().endswith(_ENDS)
    pieces = [
        ("scene.subject", scene.subject.strip() if goes_on else _sentence(scene.subject)),
        ("scene.action", _sentence(scene.action)),
        ("scene.setting", _sentence(scene.setting)),
        *_place(content.locations, scene),
        *_cast(content.characters, scene),
        *_things(content.props, scene),
        ("scene.camera", _sentence(scene.camera, "Camera: ")),
        ("scene.lighting", _sentence(scene.lighting, "Lighting: ")),
        ("scene.mood", _sentence(scene.mood, "Mood: ")),
        ("scene.dialogue", _sentence(scene.dialogue, "Dialogue: ")),
        ("preset.words", preset.words),
    ]
    return (Part(origin, text) for origin, text in pieces if text)


def _unwanted(scene: domain.Scene, preset: presets.Preset) -> Iterator[Part]:
    """What must not be seen: the scene's first, for it knows best."""
    pieces = [("scene.negative_prompt", scene.negative_prompt), ("preset.negative_words", preset.negative_words)]
    return (Part(origin, text) for origin, words in pieces if (text := words.strip(" ,.")))


def _avoided(unwanted: Sequence[Part]) -> Iterator[Part]:
    """The same as one sentence, whose parts keep their origins."""
    for index, part in enumerate(unwanted):
        label, stop = "" if index else "Avoid: ", "." if index == len(unwanted) - 1 else ","
        yield Part(part.origin, label + part.text + stop)


def _place(locations: Sequence[domain.Location], scene: domain.Scene) -> Iterator[tuple[str, str]]:
    for index, location in enumerate(locations):
        if location.name == scene.location:
            yield f"locations[{index}].description", _sentence(_described(location.name, location.description))


def _cast(characters: Sequence[domain.Character], scene: domain.Scene) -> Iterator[tuple[str, str]]:
    numbered = {character.name: (index, character) for index, character in enumerate(characters)}
    for index, character in (numbered[name] for name in scene.cast):
        known_as = f"{character.name} [{character.identity_tag}]"
        yield f"characters[{index}].profile", _sentence(_described(known_as, character.profile))


def _things(props: Sequence[domain.Prop], scene: domain.Scene) -> Iterator[tuple[str, str]]:
    numbered = {prop.name: (index, prop) for index, prop in enumerate(props)}
    for index, prop in (numbered[name] for name in scene.props):
        yield f"props[{index}].description", _sentence(_described(prop.name, prop.description))


def _references(content: domain.Content, scene: domain.Scene) -> tuple[domain.Blob, ...]:
    """The newest still of each person in the order of the cast, then of the place: models take only a few."""
    people = {character.name: character.references for character in content.characters}
    places = {location.name: location.references for location in content.locations}
    stills = [*(people[name] for name in scene.cast), places.get(scene.location, ())]
    return tuple(references[-1] for references in stills if references)


def _described(name: str, description: str) -> str:
    return f"{name}: {description.strip()}" if description.strip() else name


def _sentence(text: str, label: str = "") -> str:
    text = text.strip()
    if not text:
        return ""
    return label + (text if text.endswith(_ENDS) else text + ".")
