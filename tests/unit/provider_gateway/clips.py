"""Real clips, as small as they can be."""

import av
import numpy

SIZE = (160, 96)


def shoot(path, pictures=48, codec="libx264", size=SIZE, pixels="yuv420p", muxer=None, **options):
    """A clip of 24 pictures a second that are one grey each, brighter and brighter."""
    with av.open(str(path), "w", format="mp4", options=muxer or {}) as output:
        stream = output.add_stream(codec, rate=24, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        for number in range(pictures):
            grey = numpy.full((size[1], size[0], 3), shade(number), numpy.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24").reformat(format=pixels)))
        output.mux(stream.encode(None))
    return path


def shade(number):
    return 20 + min(number, 50) * 4
