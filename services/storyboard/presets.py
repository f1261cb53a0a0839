"""The looks: the exact words that each adds to every prompt."""

from dataclasses import dataclass

DEFAULT = "cinematic"


@dataclass(frozen=True, slots=True)
class Preset:
    """A look; `words` go into the prompt as they stand, `negative_words` behind an "Avoid: "."""

    key: str
    title: str
    words: str
    negative_words: str


PRESETS = (
    Preset(
        "cinematic",
        "Cinematic",
        "Cinematic look: anamorphic lens, shallow depth of field, motivated key light with soft fill, "
        "restrained teal-and-amber grade, fine film grain, natural motion blur.",
        "flat lighting, oversaturated colours, video-game look, text overlay, watermark",
    ),
    Preset(
        "noir",
        "Film noir",
        "Film noir look: high-contrast black and white, hard single-source light, venetian-blind shadows, "
        "wet streets, drifting cigarette haze, low angles, deep blacks that hold detail.",
        "colour, bright even lighting, pastel tones, text overlay, watermark",
    ),
    Preset(
        "documentary",
        "Documentary",
        "Documentary look: available light, handheld camera at eye level, 35 mm lens, honest skin tones, "
        "unstaged behaviour, neutral grade, the patience of an observer.",
        "glossy advertising look, dramatic colour grade, slow-motion glamour, text overlay, watermark",
    ),
    Preset(
        "golden_hour",
        "Golden hour",
        "Golden-hour look: low sun from behind, long soft shadows, warm rim light on hair and edges, "
        "gentle lens flare, airborne dust, honeyed highlights over cool shade.",
        "overhead noon sun, cold fluorescent light, harsh flash, text overlay, watermark",
    ),
    Preset(
        "neon",
        "Neon night",
        "Neon night look: practical neon in magenta and cyan, reflections on wet asphalt, light haze, "
        "fast lens wide open, crisp silhouettes, deep night exposure.",
        "daylight, beige tones, flat exposure, legible signs, text overlay, watermark",
    ),
    Preset(
        "pastel",
        "Pastel symmetry",
        "Pastel look: frontal symmetrical framing, planimetric staging, powder pink, mint and butter yellow, "
        "soft even light, unhurried lateral moves, storybook neatness.",
        "handheld shake, dark shadows, gritty texture, text overlay, watermark",
    ),
    Preset(
        "storybook",
        "Storybook animation",
        "Storybook look: hand-painted animation, gouache textures, warm paper grain, rounded shapes, "
        "gentle parallax between painted layers, expressive simple faces.",
        "photorealism, live-action skin texture, harsh contrast, text overlay, watermark",
    ),
    Preset(
        "vintage_16mm",
        "Vintage 16 mm",
        "Vintage 16 mm look: reversal-stock colour, visible grain, slight gate weave, halation around "
        "highlights, zoom-lens reframing, faded blacks, a sunlit seventies palette.",
        "digital sharpness, modern clean grade, ultra-wide distortion, text overlay, watermark",
    ),
    Preset(
        "clean_product",
        "Product studio",
        "Product studio look: seamless backdrop, large softbox with negative fill, macro detail, "
        "controlled speculars, slow motorised slider, precise focus pulls.",
        "clutter, fingerprints, mixed colour temperatures, text overlay, watermark",
    ),
    Preset(
        "moody_thriller",
        "Moody thriller",
        "Thriller look: underexposed interiors, single practical lamps, sickly green in the shadows, long lens "
        "from a distance, slow creeping push-in, negative space that threatens.",
        "cheerful colours, high-key lighting, comic tone, text overlay, watermark",
    ),
)

# Old revisions name these for ever: add looks, never take one away, and reword only with a new COMPOSER_VERSION.
BY_KEY = {preset.key: preset for preset in PRESETS}
