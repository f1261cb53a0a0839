"""The camera: where it looks in each frame of a move."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.sandbox import cels

VERTICAL = {"tilt_up", "tilt_down", "crane", "push", "pull"}
"""Moves whose layers shift up and down; in all others they shift sideways."""


@dataclass(frozen=True, slots=True)
class View:
    """One frame's point of view: a shift of the layers (-1 to 1 of the overscan), then a zoom and a shake."""

    x: float = 0.0
    y: float = 0.0
    zoom: float = 1.0
    shake_x: float = 0.0
    shake_y: float = 0.0
    together: float = 0.0
    """1 moves all layers alike, as a turn of the head does; 0 moves each by its depth, as a step does."""


def view(move: str, share: float, second: float, seed: int) -> View:
    """The view at a share (0 to 1) of the clip, `second` seconds into it."""
    eased = 0.5 * share + 0.5 * share * share * (3 - 2 * share)
    swing = 2 * eased - 1
    match move:
        case "push":
            return View(y=0.7 * eased, zoom=1 + 0.085 * eased)
        case "pull":
            return View(y=0.7 * (1 - eased), zoom=1.085 - 0.085 * eased)
        case "pan_right" | "pan_left":
            return View(x=-0.9 * swing if move == "pan_right" else 0.9 * swing, together=0.5)
        case "track":
            return View(x=-0.95 * swing)
        case "tilt_up" | "tilt_down":
            return View(y=0.85 * swing if move == "tilt_up" else -0.85 * swing, together=0.75)
        case "crane":
            return View(y=0.9 * swing, zoom=1.05 - 0.05 * eased)
        case "handheld":
            x, y = (_wander(second, seed + axis) for axis in (0, 1))
            return View(x=0.25 * x, zoom=1.045, shake_x=0.011 * x, shake_y=0.009 * y)
        case _:
            return View()


def _wander(second: float, seed: int) -> float:
    """A slow, never quite repeating sway between -1 and 1: a hand that holds a camera."""
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, 4)
    waves = zip((0.23, 0.61, 1.27, 2.3), (0.5, 0.28, 0.15, 0.07), phases, strict=True)
    return float(sum(size * np.sin(2 * np.pi * hertz * second + phase) for hertz, size, phase in waves))


def look(stage: cels.Planes, frame: cels.Planes, view: View) -> None:
    """Put what the view sees of the stage into the frame (of the same size), smooth between pixels."""
    for source, target in zip(stage, frame, strict=True):
        height, width = source.shape
        if view.zoom == 1.0 and not view.shake_x and not view.shake_y:
            np.copyto(target, source)
            continue
        rows, row_shares = _sampled(height, view.zoom, view.shake_y)
        columns, column_shares = _sampled(width, view.zoom, view.shake_x)
        near = np.multiply(source[rows], 256 - row_shares[:, None], dtype=np.uint16, casting="unsafe")
        near += np.multiply(source[rows + 1], row_shares[:, None], dtype=np.uint16, casting="unsafe")
        near >>= 8
        there = near.take(columns, axis=1, mode="clip") * (256 - column_shares)
        there += near.take(columns + 1, axis=1, mode="clip") * column_shares
        np.right_shift(there, 8, out=target, casting="unsafe")


def _sampled(length: int, zoom: float, shift: float) -> tuple[NDArray[np.intp], NDArray[np.uint16]]:
    at = (np.arange(length) + 0.5 - length / 2) / zoom + length / 2 - 0.5 + shift * length
    at = np.clip(at, 0, length - 1.01)
    whole = at.astype(np.intp)
    return whole, ((at - whole) * 256).astype(np.uint16)
