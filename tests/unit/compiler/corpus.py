"""Clips as they come from anywhere: every kind of MP4 that a provider, a phone or an editor may send."""

from dataclasses import replace
from fractions import Fraction

from tests.unit.compiler.footage import Take

_PLAIN = Take()
_HEVC, _VP9, _AV1 = (replace(_PLAIN, codec=codec) for codec in ("libx265", "libvpx-vp9", "libsvtav1"))
_HLG = (9, 18, 9, 1)
_FULL = (1, 1, 1, 2)


def _x264(**options: str) -> Take:
    told = {"g": "12", "bf": "2"} | {name.replace("_", "-"): value for name, value in options.items()}
    return replace(_PLAIN, options=tuple(told.items()))


CLIPS: dict[str, Take] = {
    "plain": _PLAIN,
    "23.976": replace(_PLAIN, fps=Fraction(24000, 1001), seconds=Fraction(1001, 1000)),
    "25": replace(_PLAIN, fps=Fraction(25)),
    "29.97": replace(_PLAIN, fps=Fraction(30000, 1001), seconds=Fraction(1001, 1000)),
    "30": replace(_PLAIN, fps=Fraction(30)),
    "60": replace(_PLAIN, fps=Fraction(60)),
    "12.5": replace(_PLAIN, fps=Fraction(25, 2), seconds=Fraction(24, 25)),
    "varying": replace(_PLAIN, times=lambda number: number * 40 + (number >= 12) * 200),
    "restless": replace(_PLAIN, times=lambda number: number * 42 + number % 3 * 9),
    "in milliseconds": replace(_PLAIN, times=lambda number: round(number * 1000 / 24)),
    "coarse clock": replace(_PLAIN, box=(("video_track_timescale", "600"),)),
    "one picture": replace(_PLAIN, seconds=Fraction(1, 24), layout=""),
    "mono": replace(_PLAIN, layout="mono", rate=44_100),
    "surround": replace(_PLAIN, layout="5.1"),
    "low sound": replace(_PLAIN, layout="mono", rate=16_000),
    "silent": replace(_PLAIN, layout=""),
    "sound longer": replace(_PLAIN, sound_seconds=Fraction(3, 2)),
    "sound shorter": replace(_PLAIN, sound_seconds=Fraction(1, 2)),
    "one IDR": _x264(g="250", sc_threshold="0"),
    "open groups": _x264(bf="3", b_adapt="0", x264_params="open-gop=1:keyint=12:min-keyint=6:scenecut=0"),
    "refreshed": _x264(bf="0", x264_params="intra-refresh=1:keyint=12:scenecut=0"),
    "many B": _x264(bf="8", b_adapt="0", x264_params="b-pyramid=normal:ref=6"),
    "no B": _x264(bf="0", profile="baseline"),
    "only keys": _x264(g="1"),
    "other settings": _x264(preset="medium", x264_params="cabac=0:ref=4"),
    "headers in band": _x264(x264_params="repeat-headers=1"),
    "many slices": _x264(x264_params="slices=4"),
    "half pictures": _x264(x264_params="tff=1", flags="+ildct+ilme"),
    "starts late": replace(_PLAIN, shift=7),
    "hidden start": replace(_PLAIN, shift=-6),
    "in fragments": replace(_PLAIN, box=(("movflags", "frag_keyframe+empty_moov+default_base_moof"),)),
    "index first": replace(_PLAIN, box=(("movflags", "faststart"),)),
    "small": replace(_PLAIN, size=(96, 64)),
    "large": replace(_PLAIN, size=(480, 288)),
    "odd": replace(_VP9, size=(161, 97)),
    "squeezed": replace(_PLAIN, size=(120, 96), aspect=Fraction(4, 3)),
    "upright": replace(_PLAIN, size=(96, 160)),
    "turned right": replace(_PLAIN, rotation=90),
    "turned over": replace(_PLAIN, rotation=180),
    "turned left": replace(_PLAIN, rotation=270),
    "ten bits": replace(_PLAIN, pixels="yuv420p10le"),
    "4:2:2": replace(_PLAIN, pixels="yuv422p"),
    "4:4:4": replace(_PLAIN, pixels="yuv444p"),
    "full range": replace(_PLAIN, pixels="yuvj420p", colours=_FULL),
    "HEVC": _HEVC,
    "HEVC ten bits": replace(_HEVC, pixels="yuv420p10le"),
    "HEVC HLG": replace(_HEVC, pixels="yuv420p10le", colours=_HLG),
    "MPEG-4": replace(_PLAIN, codec="mpeg4"),
    "VP9": _VP9,
    "AV1": _AV1,
    "AV1 ten bits": replace(_AV1, pixels="yuv420p10le"),
    "JPEG": replace(_PLAIN, codec="mjpeg", pixels="yuvj420p"),
}
