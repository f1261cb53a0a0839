"""The process that looks into clips, which may be hostile: it knows no key, and may be ended at any time."""

import contextlib
import dataclasses
import errno
import json
import pathlib
import resource
import signal
import socket
import sys
from typing import Any

from services.provider_gateway import media

_MEMORY = 4 << 30  # bytes of address space: two dozen pictures of the largest size that media takes
_LIMITS = {"RLIMIT_AS": _MEMORY, "RLIMIT_FSIZE": 1 << 30, "RLIMIT_NOFILE": 64, "RLIMIT_CORE": 0}


def main(deadline_s: float) -> None:
    """Answer each line of the socket that is stdin, until it is closed; die when one clip takes longer than this."""
    _limit()
    line = socket.socket(fileno=0)
    for asked in line.makefile("rb"):
        found = []
        for clip, last_frame_wanted in json.loads(asked):
            signal.setitimer(signal.ITIMER_REAL, deadline_s)  # the kernel ends it, wherever it hangs
            found.append(_looked(pathlib.Path(clip), last_frame_wanted))
        signal.setitimer(signal.ITIMER_REAL, 0)
        line.sendall(json.dumps(found).encode() + b"\n")


def _limit() -> None:
    """As far as this system lets it: it may have no such limit, or have set a lower one for us."""
    for name, most in _LIMITS.items():
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(getattr(resource, name), (most, most))
    with contextlib.suppress(OSError):
        pathlib.Path("/proc/self/oom_score_adj").write_text("1000")  # when memory is short, it goes first


def _looked(clip: pathlib.Path, last_frame_wanted: bool) -> dict[str, Any]:
    thumbnail, last = media.stills(clip)
    try:
        facts = media.probe(clip, thumbnail)
        if last_frame_wanted:
            media.save_last_frame(clip, last)
    except media.NotAClip as fault:
        return {"refused": str(fault)}
    except MemoryError:
        return {"refused": "it takes more memory than a clip may"}
    except OSError as fault:
        return {"errno": fault.errno or errno.EIO}
    return {"facts": dataclasses.asdict(facts)}


if __name__ == "__main__":
    main(float(sys.argv[1]))
