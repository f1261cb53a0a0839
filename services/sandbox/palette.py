"""Colour: the light of each hour, what weather does to it, and the grades that make a look."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.sandbox import script

RGB = NDArray[np.floating[Any]]
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


def rgb(code: str) -> RGB:
    """`ffcc88` as three floats from 0 to 1."""
    return np.array([int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)], np.float32)


def mix(a: RGB, b: RGB, share: float) -> RGB:
    """From `a` (0) to `b` (1)."""
    return (a + (b - a) * np.float32(share)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Light:
    """The colours of an hour: sky from zenith to horizon, the air, the disc, and what stands against it."""

    zenith: RGB
    horizon: RGB
    haze: RGB
    disc: RGB
    shade: RGB
    strength: float
    """How much of a surface's own colour the light shows."""
    disc_height: float
    """Of the sun or moon above the horizon, as a share of the sky; negative hides it."""
    night: bool = False


_HOURS = {
    "dawn": Light(rgb("5c83b8"), rgb("ffd2a8"), rgb("e9bda6"), rgb("fff2d6"), rgb("3a4163"), 0.62, 0.16),
    "day": Light(rgb("2f74bd"), rgb("d3e9f4"), rgb("b3d0e0"), rgb("fffdf0"), rgb("1f4248"), 0.9, 0.72),
    "golden": Light(rgb("5f86b5"), rgb("ffcf7d"), rgb("f2b06a"), rgb("fff3c4"), rgb("47291f"), 0.72, 0.24),
    "dusk": Light(rgb("252a5e"), rgb("ff8f5e"), rgb("a65a7c"), rgb("ffc28a"), rgb("1a1230"), 0.4, 0.08),
    "night": Light(rgb("060c22"), rgb("31558a"), rgb("27436c"), rgb("e6efff"), rgb("060b18"), 0.3, 0.62, night=True),
}


def light(scene: script.Scene) -> Light:
    """The light of a scene's hour under its weather."""
    hour = _HOURS[scene.hour]
    if scene.weather == "clear":
        return hour
    grey = {"rain": rgb("6d7783"), "snow": rgb("c3ccd6"), "fog": rgb("c4c6c4")}[scene.weather]
    brightness = float(np.clip((hour.horizon @ LUMA) * 1.1, 0.22, 1.0))
    share = {"rain": 0.62, "snow": 0.5, "fog": 0.45}[scene.weather]
    veil = (grey * np.float32(brightness)).astype(np.float32)
    return replace(
        hour,
        zenith=mix(hour.zenith, (veil * np.float32(0.72)).astype(np.float32), share),
        horizon=mix(hour.horizon, veil, share),
        haze=mix(hour.haze, veil, share),
        strength=hour.strength * 0.85,
        disc_height=hour.disc_height if scene.weather == "fog" or hour.night else -1.0,
    )


def grade(picture: RGB, look: str) -> RGB:
    """The picture in the colours of a look; values stay from 0 to 1."""
    luma = (picture @ LUMA)[..., None]
    graded: RGB
    match look:
        case "noir":
            graded = _curve(luma**0.8, 1.4) * rgb("f4f6f8") + 0.012
        case "pastel":
            graded = (luma + (picture - luma) * 0.72) * 0.66 + rgb("ffe6ee") * 0.33
        case "neon":
            split = (
                rgb("3a0a78") * (1 - luma) * 0.42
                + rgb("20e6ff") * luma * 0.10
                + rgb("ff2fa8") * luma * (1 - luma) * 0.55
            )
            graded = _curve(luma + (picture - luma) * 1.5, 1.25) * 0.82 + split
        case "vintage":
            graded = (luma + (picture - luma) * 0.45) * rgb("f6dcae") * 0.86 + rgb("2c1a12")
        case "documentary":
            graded = (luma + (picture - luma) * 0.7) * rgb("f6faf6") * 0.94 + 0.015
        case "vivid":
            graded = _curve(luma + (picture - luma) * 1.42, 1.08) * 1.06
        case "cold":
            graded = _curve(luma + (picture - luma) * 0.5, 1.2) * rgb("c4dce6")
        case "clean":
            graded = _curve(luma + (picture - luma) * 1.12, 1.15) + 0.035
        case "golden":
            graded = _curve(luma + (picture - luma) * 1.12, 1.06) * rgb("ffefd2") + rgb("1c0c00") * (1 - luma)
        case _:
            split = (luma - 0.45) * rgb("2a1400") + (0.45 - luma) * rgb("001c28") * 0.8
            graded = _curve(luma + (picture - luma) * 1.1, 1.1) + split * 0.35
    legal: RGB = np.clip(graded, 0, 1)
    return legal


def _curve(values: RGB, contrast: float) -> RGB:
    """More contrast around a middle that lies a little low, the way film prints."""
    curved: RGB = np.clip((values - np.float32(0.42)) * np.float32(contrast) + np.float32(0.42), 0, None)
    return curved
