"""The house format: how every picture that we encode is encoded, so that any two pieces fit into one track."""

from av.container import OutputContainer
from av.video.stream import VideoStream

from services.compiler import film
from services.compiler.recipes import Profile

THREADS = 2
_COLOURS = {"bt709": 1, "smpte170m": 6}  # ISO/IEC 23091-2: the same number for primaries, transfer and matrix
_LIMITED_RANGE = 1


def encoder(out: OutputContainer, profile: Profile, parameter_id: int) -> VideoStream:
    """H.264 High, closed groups of a second; by x264's `stitchable` one set of parameters, whatever is shown."""
    group = film.group(profile.fps)
    stream = out.add_stream("libx264", rate=profile.fps)
    stream.width, stream.height, stream.pix_fmt = profile.width, profile.height, "yuv420p"
    context = stream.codec_context
    context.color_primaries = context.color_trc = context.colorspace = _COLOURS[profile.matrix]
    context.color_range = _LIMITED_RANGE
    context.options = {
        "preset": "veryfast",
        "profile": "high",
        "crf": "17",
        # Without mbtree, which reads memory nobody wrote, and without AVX-512, whose lookahead is not always the same:
        # the same pictures must always be the same bytes.
        "x264-params": f"keyint={group}:min-keyint={group}:scenecut=0:open-gop=0:stitchable=1:mbtree=0:asm=AVX2"
        f":threads={THREADS}:sps-id={parameter_id}",
    }
    return stream
