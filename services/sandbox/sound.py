"""The sound of a place: air, water or rain, a soft chord under it, and now and then something alive."""

import numpy as np
from numpy.typing import NDArray

from services.sandbox import domain, script

Sound = NDArray[np.float32]
RATE = 48_000
_LEVEL = 0.078
"""Root mean square of each channel: two unlike channels of it come to about -20 LUFS."""
_FADE = RATE // 25
_ROOTS_HZ = (55.0, 58.27, 61.74, 65.41, 69.3, 73.42, 77.78, 82.41)
_CHORDS = {
    "dawn": (1, 3 / 2, 2, 5 / 2, 15 / 4),
    "day": (1, 3 / 2, 2, 5 / 2, 3),
    "golden": (1, 3 / 2, 9 / 4, 5 / 2, 3),
    "dusk": (1, 3 / 2, 2, 12 / 5, 18 / 5),
    "night": (1, 3 / 2, 2, 12 / 5, 16 / 5),
}
_AIR = {
    # place: the middle of the band in Hz, its width in octaves, swells per second, their depth
    "sea": (420.0, 1.7, 0.13, 0.75),
    "mountain": (310.0, 1.2, 0.11, 0.6),
    "forest": (900.0, 1.5, 0.17, 0.4),
    "desert": (240.0, 1.1, 0.09, 0.65),
    "field": (620.0, 1.5, 0.15, 0.45),
    "city": (150.0, 1.5, 0.07, 0.25),
    "street": (190.0, 1.6, 0.08, 0.3),
    "interior": (130.0, 1.2, 0.05, 0.15),
    "table": (160.0, 1.2, 0.05, 0.15),
    "space": (70.0, 1.0, 0.06, 0.5),
}


def bed(order: domain.Order, samples: int) -> Sound:
    """Two channels of `samples` samples at 48 kHz, each from -1 to 1; the same for the same order."""
    scene = script.read(order.prompt, order.seed)
    rng = np.random.default_rng(scene.seed)
    second = np.arange(samples) / RATE
    middle, width, swells, depth = _AIR[scene.place]
    mixed = 0.8 * _swelling(_band(rng, samples, middle, width), second, swells, depth, rng)
    if scene.weather == "rain":
        mixed += 0.9 * _band(rng, samples, 3200.0, 1.5) + 0.5 * _drops(rng, samples)
    mixed += 0.42 * _chord(scene, second, rng) + 0.16 * _life(scene, second, rng)
    level = np.sqrt(np.mean(mixed**2)) or 1.0
    quiet = np.tanh(mixed * (_LEVEL / level))
    fade = np.minimum(1, np.minimum(np.arange(samples) + 1, np.arange(samples, 0, -1)) / _FADE)
    faded: Sound = (quiet * np.sin(fade * np.pi / 2) ** 2).astype(np.float32)
    return faded


def _band(rng: np.random.Generator, samples: int, middle: float, octaves: float) -> NDArray[np.float64]:
    """Noise around a middle frequency, unlike in the two channels, with a root mean square of 1."""
    length = 1 << max(12, (samples - 1).bit_length())
    hertz = np.fft.rfftfreq(length, 1 / RATE)
    shape = np.exp(-((np.log2(np.maximum(hertz, 1.0) / middle) / octaves) ** 2)) / np.sqrt(np.maximum(hertz, 20.0))
    spectrum = (rng.standard_normal((2, hertz.size)) + 1j * rng.standard_normal((2, hertz.size))) * shape
    noise = np.fft.irfft(spectrum, length)[:, :samples]
    return np.asarray(noise / np.sqrt(np.mean(noise**2)))


def _swelling(
    noise: NDArray[np.float64], second: NDArray[np.float64], hertz: float, depth: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    phases = rng.uniform(0, 2 * np.pi, 2)
    slow = 0.5 + 0.35 * np.sin(2 * np.pi * hertz * second + phases[0]) + 0.15 * np.sin(5.1 * hertz * second + phases[1])
    swelling: NDArray[np.float64] = noise * (1 - depth + depth * slow)
    return swelling


def _chord(scene: script.Scene, second: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    root = _ROOTS_HZ[scene.seed % len(_ROOTS_HZ)]
    channels = np.zeros((2, second.size))
    for number, ratio in enumerate(_CHORDS[scene.hour]):
        breath = 0.6 + 0.4 * np.sin(2 * np.pi * (0.07 + 0.031 * number) * second + rng.uniform(0, 6.28))
        for channel, detune in enumerate((0.9985, 1.0015)):
            hertz = root * 2 * ratio * detune
            tone = np.sin(2 * np.pi * hertz * second) + 0.3 * np.sin(4 * np.pi * hertz * second)
            channels[channel] += tone * breath / (1 + number)
    return channels


def _drops(rng: np.random.Generator, samples: int) -> NDArray[np.float64]:
    """Single drops: short falling clicks left and right."""
    channels = np.zeros((2, samples))
    length = RATE // 60
    decay = np.exp(-np.arange(length) / (RATE / 500))
    for at in rng.integers(0, max(1, samples - length), samples // (RATE // 22)):
        hertz = rng.uniform(1200, 4200)
        click = decay * np.sin(2 * np.pi * hertz * np.arange(length) / RATE) * rng.uniform(0.2, 1.4)
        channels[rng.integers(2), at : at + length] += click[: samples - at]
    return channels


def _life(scene: script.Scene, second: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Birds by day and crickets by night where there is green; a clock in a room; else nothing."""
    if scene.place == "interior":
        tick = np.exp(-(second % 1.0) * 260) * np.sin(2 * np.pi * 2400 * second)
        return np.stack([tick * 1.4, tick])
    if scene.place not in ("forest", "field", "mountain") or scene.weather != "clear":
        return np.zeros((2, second.size))
    if scene.hour == "night":
        pulse = (np.sin(2 * np.pi * 15 * second) > 0) * (np.sin(2 * np.pi * 0.9 * second) > -0.2)
        song = 0.6 * pulse * np.sin(2 * np.pi * 4300 * second)
        return np.stack([song, 0.5 * song])
    channels = np.zeros((2, second.size))
    for _ in range(max(1, second.size * 2 // RATE)):
        start, hertz, length = rng.uniform(0, second[-1] + 0.01), rng.uniform(2300, 4100), rng.uniform(0.06, 0.16)
        inside = np.clip((second - start) / length, 0, 1)
        chirp = np.sin(np.pi * inside) ** 2 * np.sin(2 * np.pi * (hertz + 900 * np.sin(inside * 9)) * (second - start))
        left = rng.uniform(0.2, 0.8)
        channels += chirp * np.array([[left], [1 - left]])
    return channels
