"""Clips for film benchmarks, and the plain ways to cut them that ours is held against."""

import asyncio
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import imageio_ffmpeg

_QUIET = (imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-nostdin", "-y")
_VERYFAST = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-c:a", "aac", "-b:a", "192k")
RATE = 24


def shoot(folder: Path, count: int, seconds: int, size: str = "1280x720") -> list[Path]:
    """Clips as a good provider sends them: 24 pictures a second, one in 24 stands on its own, sound, some grain."""
    clips = [folder / f"clip-{number}.mp4" for number in range(count)]
    for number, clip in enumerate(clips):
        picture = f"testsrc2=s={size}:r={RATE}:d={seconds},hue=h={number * 31},noise=alls=4:allf=t:all_seed={number}"
        sound = f"anoisesrc=c=pink:a=0.3:seed={number}:d={seconds}:r=48000"  # as broad as the sound of a place
        asked = ("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, "-pix_fmt", "yuv420p")
        coded = ("-c:v", "libx264", "-preset", "fast", "-crf", "20", "-g", "24", "-sc_threshold", "0")
        subprocess.run([*_QUIET, *asked, *coded, "-c:a", "aac", "-ac", "2", str(clip)], check=True, timeout=300)
    return clips


async def encoded(clips: Sequence[Path], target: Path) -> asyncio.subprocess.Process:
    """Everything decoded and encoded anew, one clip after the other: the plain way without joins."""
    streams = "".join(f"[{n}:v][{n}:a]" for n in range(len(clips)))
    return await _ffmpeg(clips, f"{streams}concat=n={len(clips)}:v=1:a=1[v][a]", target)


async def crossfaded(clips: Sequence[Path], seconds: int, frames: int, target: Path) -> asyncio.subprocess.Process:
    """One filter graph with a crossfade at each join: the plain way with joins."""
    return await _ffmpeg(clips, ";".join(_faded(len(clips), seconds, frames)), target)


def _faded(count: int, seconds: int, frames: int) -> Iterator[str]:
    length = frames / RATE
    for n in range(1, count):
        before, after = (f"[v{n - 1}]" if n > 1 else "[0:v]"), ("[v]" if n == count - 1 else f"[v{n}]")
        yield f"{before}[{n}:v]xfade=duration={length}:offset={n * (seconds - length)}{after}"
        before, after = (f"[a{n - 1}]" if n > 1 else "[0:a]"), ("[a]" if n == count - 1 else f"[a{n}]")
        yield f"{before}[{n}:a]acrossfade=d={length}{after}"


async def _ffmpeg(clips: Sequence[Path], graph: str, target: Path) -> asyncio.subprocess.Process:
    inputs = [part for clip in clips for part in ("-i", str(clip))]
    asked = ("-filter_complex", graph, "-map", "[v]", "-map", "[a]", *_VERYFAST, "-movflags", "+faststart", str(target))
    return await asyncio.create_subprocess_exec(*_QUIET, *inputs, *asked)
