"""The house format: how every picture that we encode is encoded, so that any two pieces fit into one track."""

from av.container import OutputContainer
from av.video.stream import VideoStream

from services.compiler import film
from services.compiler.recipes import House, Render

THREADS = 2
_SPEED = {House: ("veryfast", ""), Render: ("ultrafast", ":deblock=0,0")}
"""What is drawn is encoded in a quarter of the time: as near to what was drawn, for half as many bytes more, which
are few in a film. Only its blocks have to be smoothed all the same."""
_COLOURS = {"bt709": 1, "smpte170m": 6}  # ISO/IEC 23091-2: the same number for primaries, transfer and matrix
_LIMITED_RANGE = 1


def encoder(out: OutputContainer, recipe: House | Render) -> VideoStream:
    """H.264, closed groups of a second; by x264's `stitchable` one set of parameters, whatever is shown."""
    profile, group = recipe.profile, film.group(recipe.profile.fps)
    stream = out.add_stream("libx264", rate=profile.fps)
    stream.width, stream.height, stream.pix_fmt = profile.width, profile.height, "yuv420p"
    context = stream.codec_context
    context.color_primaries = context.color_trc = context.colorspace = _COLOURS[profile.matrix]
    context.color_range = _LIMITED_RANGE
    preset, besides = _SPEED[type(recipe)]
    context.options = {
        "preset": preset,
        "profile": "high",
        "crf": "17",
        # Without mbtree, which reads memory nobody wrote, and without AVX-512, whose lookahead is not always the same:
        # the same pictures must always be the same bytes.
        "x264-params": f"keyint={group}:min-keyint={group}:scenecut=0:open-gop=0:stitchable=1:mbtree=0:asm=AVX2"
        f":threads={THREADS}:sps-id={recipe.parameter_id}{besides}",
    }
    return stream
