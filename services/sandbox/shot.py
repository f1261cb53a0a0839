"""One shot: everything that is painted once, and each frame put together from it."""

import av
import numpy as np
import PIL.Image
import PIL.ImageOps

from services.sandbox import (
    brush,
    camera,
    cast,
    cels,
    coast,
    domain,
    land,
    palette,
    room,
    script,
    slate,
    still,
    town,
    weather,
)

_PAINTERS = {
    "sea": coast.sea,
    "mountain": land.mountain,
    "forest": land.forest,
    "desert": land.desert,
    "field": land.field,
    "space": land.space,
    "city": town.city,
    "street": town.street,
    "interior": room.interior,
    "table": still.table,
}
_HORIZONS = {"sea": 0.56, "mountain": 0.62, "desert": 0.6, "field": 0.6, "city": 0.66, "street": 0.58, "interior": 0.5}
_DISSOLVE = 12
"""Frames from the given first frame to the scene of the shot's own."""


class Shot:
    """A picture that moves: `frame(n)` gives any frame, and the same one each time."""

    def __init__(self, order: domain.Order, frames: int, reference: PIL.Image.Image | None) -> None:
        """Paint all layers; this takes about as long as thirty frames."""
        self._order, self._frames = order, frames
        self._scene = script.read(order.prompt, order.seed)
        self._margin = tuple(int(side * brush.OVERSCAN) // 2 * 2 for side in (order.width, order.height))
        canvas = self._canvas()
        vertical = self._scene.camera in camera.VERTICAL
        self._cels = [cels.Cel(painting, self._scene.look, vertical) for painting in _layers(canvas)]
        self._effects = weather.effects(self._scene, order.width, order.height)
        self._slate = slate.Slate(order)
        self._opening = _opening(reference, order) if reference else None
        self._stage = _planes(av.VideoFrame(order.width, order.height, "yuv420p"))
        self._scratch = np.empty((order.height, order.width), np.uint16)

    def _canvas(self) -> brush.Canvas:
        order, scene = self._order, self._scene
        width, height = order.width + 2 * self._margin[0], order.height + 2 * self._margin[1]
        horizon = int(height * _HORIZONS.get(scene.place, 0.6))
        unit = (order.width * order.height) ** 0.5
        rng = np.random.default_rng(scene.seed)
        return brush.Canvas(scene, palette.light(scene), width, height, horizon, unit, rng)

    def frame(self, number: int) -> av.VideoFrame:
        """The picture at a frame."""
        frame = av.VideoFrame(self._order.width, self._order.height, "yuv420p")
        planes = _planes(frame)
        if self._opening and number == 0:
            _copy(self._opening, planes)
            return frame
        share = number / max(1, self._frames - 1)
        view = camera.view(self._scene.camera, share, number / domain.FPS, self._scene.seed)
        showing = [cel for cel in self._cels if cel.beat is None or number // 2 % cel.beat[1] == cel.beat[0]]
        cels.compose(showing, self._stage, [self._place(cel, view, number) for cel in showing], self._scratch)
        camera.look(self._stage, planes, view)
        for effect in self._effects:
            effect(planes, number)
        self._slate.write(planes, number)
        if self._opening and number < _DISSOLVE:
            _dissolve(self._opening, planes, 256 * number // _DISSOLVE)
        return frame

    def _place(self, cel: cels.Cel, view: camera.View, number: int) -> tuple[float, float]:
        follow = view.together + (1 - view.together) * cel.depth
        sway = cel.sway * np.sin(number / 11 + cel.depth * 9)
        x = self._margin[0] * (view.x * follow - 1) + cel.drift * number + sway
        return x, self._margin[1] * (view.y * follow - 1)


def _layers(canvas: brush.Canvas) -> list[cels.Painting]:
    """The place with its people among the layers, farthest first."""
    paintings = _PAINTERS[canvas.scene.place](canvas)
    people = cast.paint(canvas) if canvas.scene.place != "table" else []
    behind = [p for p in paintings if p.depth <= cast.DEPTH or p.alpha is None]
    return [*behind, *people, *(p for p in paintings if p.depth > cast.DEPTH and p.alpha is not None)]


def _planes(frame: av.VideoFrame) -> cels.Planes:
    """The frame's own memory, to be written in place."""
    found = []
    for plane in frame.planes:
        memory = np.frombuffer(memoryview(plane), np.uint8)
        found.append(memory.reshape(-1, plane.line_size)[: plane.height, : plane.width])
    return found[0], found[1], found[2]


def _opening(reference: PIL.Image.Image, order: domain.Order) -> cels.Planes:
    picture = PIL.ImageOps.fit(PIL.ImageOps.exif_transpose(reference).convert("RGB"), (order.width, order.height))
    planes = cels.yuv(np.asarray(picture, np.float32) / np.float32(255))
    luma, blue, red = (np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in planes)
    return luma, blue, red


def _copy(source: cels.Planes, target: cels.Planes) -> None:
    for a, b in zip(source, target, strict=True):
        np.copyto(b, a)


def _dissolve(before: cels.Planes, after: cels.Planes, share: int) -> None:
    """Mix in place: `share` of 256 is the picture after."""
    for a, b in zip(before, after, strict=True):
        mixed = np.multiply(a, np.uint16(256 - share), dtype=np.uint16)
        mixed += np.multiply(b, np.uint16(share), dtype=np.uint16)
        np.right_shift(mixed, 8, out=b, casting="unsafe")
