"""Types what README.md says of containers into an engine of its own: `python -m tests.images.walk ENGINE GRPCURL`."""

import json
import os
import pathlib
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable

import av

from tests.contract import rooms
from tests.images import build, checks, engine, lan, neighbours, soon

_OURS = ("services", "compiler", "studio")
_SECTION = re.compile(r"(?ms)^### In containers\n(.*?)^## ")
_UP = "docker compose up --wait"
_KILLED = ((": filming", "provider-gateway"), (": done", "job"), ("cutting", "compiler"))
"""Who is killed once the command has said this."""
_BOUGHT = """
import collections, json
lines = map(json.loads, open("/data/ledger.jsonl"))
print(list(collections.Counter(line["client_ref"] for line in lines if line["event"] == "create").values()))
"""


def typed() -> dict[str, str]:
    """The lines of the README, by a word that each has alone."""
    found = _SECTION.search((rooms.ROOT / "README.md").read_text())
    assert found
    lines = [line.split(" #")[0].strip() for line in re.findall(r"(?m)^    (\S.*)$", found[1])]
    return {word: next(line for line in lines if word in line) for word in ("up", "film", "token", "grpcurl", "down")}


def main(parts: pathlib.Path, grpcurl: pathlib.Path) -> None:
    """Print what was done and seen; ends with an exception when something is not as it should be."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="rushes-compose-"))
    folder.chmod(0o755)
    try:
        _stand(folder / "work")
        with engine.started(parts, grpcurl, folder) as docker:
            _load(docker, folder)
            _live(docker)
    finally:
        shutil.rmtree(folder)


def _stand(work: pathlib.Path) -> None:
    """What a checkout has that the file names."""
    shutil.copytree(rooms.ROOT / "deploy", work / "deploy")
    shutil.copytree(rooms.ROOT / "docs" / "examples", work / "docs" / "examples")
    shutil.copy(rooms.ROOT / "docker-compose.yml", work)
    for path in (work, *work.rglob("*")):
        os.chown(path, engine.PERSON, engine.PERSON)


def _load(docker: engine.Engine, folder: pathlib.Path) -> None:
    for target in _OURS:
        archive = folder / f"{target}.tar"
        build.buildah("push", "--quiet", build.image(target).id, f"docker-archive:{archive}:rushes-{target}:0.1.0")
        docker.docker("load", "--quiet", "--input", str(archive))
        archive.unlink()
    (folder / "neighbours").mkdir()
    neighbours.load(docker, folder / "neighbours")


def _live(docker: engine.Engine) -> None:
    says = typed()
    assert says["up"] == "docker compose up --build --wait"
    _timed("docker compose up --wait is green", lambda: docker.typed(_UP))
    lan.listens_here_only(docker)
    checks.is_hardened(docker)
    docker.typed(says["film"])
    _watch(docker.work / "film.mp4")
    docker.typed(says["token"])
    assert _productions(docker, says["grpcurl"]) == 1
    _film_while_killed(docker)
    assert _productions(docker, says["grpcurl"]) == 2
    soon.listens_soon(docker)
    docker.typed(says["down"])
    _timed("docker compose up --wait is green again", lambda: docker.typed(_UP))
    assert _productions(docker, says["grpcurl"]) == 2
    print("down and up again: both productions are there", flush=True)
    checks.stops(docker)
    docker.typed("docker compose down --volumes")
    assert not docker.docker("volume", "ls", "--quiet")
    print("down --volumes: nothing is left", flush=True)


def _timed(what: str, does: Callable[[], object]) -> None:
    since = time.monotonic()
    does()
    print(f"{what}, after {time.monotonic() - since:.0f} s", flush=True)


def _watch(film: pathlib.Path) -> None:
    with av.open(str(film)) as opened:
        frames = sum(1 for _ in opened.decode(video=0))
        seconds = (opened.duration or 0) / av.time_base
    assert seconds > 10
    print(f"{film.name}: {seconds:.1f} s, {frames} frames, {film.stat().st_size} bytes", flush=True)


def _productions(docker: engine.Engine, line: str) -> int:
    return len(json.loads(docker.typed(line))["productions"])


def _film_while_killed(docker: engine.Engine) -> None:
    """Each of those who buy, direct and cut is killed once, as it works; nothing is bought twice."""
    films = "docker compose run --rm --user $(id -u) rushes film docs/examples/{0}.yaml -o {0}.mp4 --yes"
    with docker.begun(films.format("tidewater")) as going:
        assert going.stdout
        for said, name in _KILLED:
            while said not in (line := going.stdout.readline()):
                assert line, f"it ended before it said {said}"
            checks.killed(docker, name)
        going.communicate(timeout=900)
    assert going.returncode == 0
    _watch(docker.work / "tidewater.mp4")
    bought = json.loads(docker.typed(f"docker compose exec -T sandbox python -c '{_BOUGHT}'"))
    assert set(bought) == {1}, bought
    names = ", ".join(name for _, name in _KILLED)
    print(f"killed in the middle: {names}; {len(bought)} clips of two films were bought, each once", flush=True)


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:]))
