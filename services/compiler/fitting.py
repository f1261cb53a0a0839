"""Fits the pictures of a clip to a film: rate, turn, size, shape and colours."""

from collections.abc import Iterator
from fractions import Fraction

import av
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.stream import VideoStream

from services.compiler import probe, timeline
from services.compiler.edit import Fit
from services.compiler.recipes import House, Profile

Filter = tuple[str, str]

_WHOLE_PICTURES: Filter = ("bwdif", "mode=send_frame")
_TURNS: dict[int, Filter] = {90: ("transpose", "clock"), 180: ("rotate", "PI"), 270: ("transpose", "cclock")}
_BUT_NOTHING_ELSE = "irange=tv:iprimaries=bt709:primaries=bt709:itrc=bt709:trc=bt709"
_BLUR_PART = 8
_BLUR = "sigma=3:steps=2"


def graph(picture: av.VideoFrame, stream: VideoStream, look: probe.Look, recipe: House) -> Graph:
    """What turns decoded pictures like this one into the film's, at the film's rate from its first on."""
    profile = recipe.profile
    chain = Graph()
    source = chain.add(
        "buffer",
        f"video_size={picture.width}x{picture.height}:pix_fmt={picture.format.name}:time_base={stream.time_base}"
        f":colorspace={int(picture.colorspace)}:range={int(picture.color_range)}",
    )
    fitted = _chained(
        chain,
        source,
        ("setpts", "PTS-STARTPTS"),
        *([_WHOLE_PICTURES] if look.woven else []),
        ("fps", f"{profile.fps.numerator}/{profile.fps.denominator}:eof_action=pass"),  # else one picture may be none
        *(_TURNS[turn] for turn in [look.rotation] if turn in _TURNS),
        ("scale", _scaling(look, recipe)),
        ("format", "yuv420p"),
        *_recoloured(look, profile),
    )
    match recipe.fit:
        case Fit.PAD:
            filled = _chained(chain, fitted, ("pad", f"{profile.width}:{profile.height}:-1:-1:black"))
        case Fit.CROP:
            filled = _chained(chain, fitted, ("crop", f"{profile.width}:{profile.height}"))
        case Fit.BLUR:
            filled = _on_its_blur(chain, fitted, profile)
    _chained(chain, filled, ("setsar", "1"), ("buffersink", ""))
    chain.configure()
    return chain


def _chained(chain: Graph, node: FilterContext, *filters: Filter) -> FilterContext:
    """The last of these filters, each behind the one before."""
    for name, arguments in filters:
        after = chain.add(name, arguments)
        node.link_to(after)
        node = after
    return node


def _on_its_blur(chain: Graph, node: FilterContext, profile: Profile) -> FilterContext:
    """The picture on its own enlargement, which is blurred while it is small: that costs next to nothing."""
    small = ":".join(str(max(2, side // _BLUR_PART // 2 * 2)) for side in (profile.width, profile.height))
    both, over = chain.add("split"), chain.add("overlay", "(W-w)/2:(H-h)/2:format=yuv420")
    node.link_to(both)
    behind = chain.add("scale", f"{small}:force_original_aspect_ratio=increase:flags=area")
    both.link_to(behind, 0)
    full = f"{profile.width}:{profile.height}:flags=bicubic"
    _chained(chain, behind, ("crop", small), ("gblur", _BLUR), ("scale", full)).link_to(over)
    both.link_to(over, 1, 1)
    return over


def _recoloured(look: probe.Look, profile: Profile) -> Iterator[Filter]:
    if look.matrix != profile.matrix and not _by_scaler(look):
        yield "colorspace", f"ispace={look.matrix}:space={profile.matrix}:{_BUT_NOTHING_ELSE}"


def _scaling(look: probe.Look, recipe: House) -> str:
    """How the scaler is to work, by Lanczos; it lowers a high dynamic range to what a film can show."""
    width, height = _size(look, recipe)
    levels = f"in_range={'full' if look.full else 'limited'}:out_range=limited"
    # It could convert other matrices too, but is wrong by up to 4 of 255 in greys.
    colours = f"in_color_matrix={look.matrix}:out_color_matrix={look.matrix}"
    if _by_scaler(look):
        colours = f"in_color_matrix={look.matrix}:in_primaries=bt2020:in_transfer={look.transfer}"
        colours += f":out_color_matrix={recipe.profile.matrix}:out_primaries=bt709:out_transfer=bt709:intent=perceptual"
    return f"{width}:{height}:flags=lanczos+accurate_rnd:{levels}:{colours}"


def _by_scaler(look: probe.Look) -> bool:
    return look.transfer != "bt709" or look.matrix == "bt2020"


def _size(look: probe.Look, recipe: House) -> tuple[int, int]:
    """The even size of the clip's shape that fits into the film's picture, or that covers it."""
    wanted, shape = (recipe.profile.width, recipe.profile.height), (look.width, look.height)
    scales = [Fraction(side, shown) for side, shown in zip(wanted, shape, strict=True)]
    covers = recipe.fit is Fit.CROP
    scale, bounded = (max(scales), max) if covers else (min(scales), min)
    width, height = (max(2, timeline.nearest(shown * scale / 2) * 2) for shown in shape)
    return bounded(width, wanted[0]), bounded(height, wanted[1])
