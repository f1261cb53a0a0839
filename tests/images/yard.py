"""Runs docker-compose.yml without an engine: images by buildah; PostgreSQL, NATS and S3 as programs of this machine."""

import asyncio
import contextlib
import os
import pathlib
import re
import shlex
import time
from collections.abc import AsyncIterator, Mapping

import psutil

from services.cli import nats, postgres
from tests.images import build, compose

_S3 = "versitygw-v1.8.0"
_PATIENCE_S = 300.0
_LONG_LIVED = ("sandbox", "storyboard", "provider-gateway", "job", "compiler", "studio")
_NAMES = [word for name in compose.services() for word in ("--add-host", f"{name}:127.0.0.1")]


class Yard:
    """The services of the compose file while they run; the volumes are folders below `folder`."""

    def __init__(self, folder: pathlib.Path, stack: contextlib.AsyncExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._containers = dict[str, str]()
        self._running = dict[str, asyncio.subprocess.Process]()
        self._begun = time.time()

    async def once(self, name: str, *arguments: str) -> bytes:
        """Run a service of the file to its end; what it prints. Raises RuntimeError when it fails."""
        process = await self._start(name, arguments, asyncio.subprocess.PIPE)
        output, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"{name} ended with {process.returncode}: {self._log(name)}")
        return output

    async def start(self, name: str) -> None:
        """Start a service of the file, and return once its own health check says that it is healthy."""
        self._running[name] = await self._start(name, (), None)
        test = compose.services()[name].raw["healthcheck"]["test"][1:]
        async with asyncio.timeout(_PATIENCE_S):
            while await self._inside(name, test) != 0:
                if self._running[name].returncode is not None:
                    raise RuntimeError(f"{name} ended: {self._log(name)}")
                await asyncio.sleep(0.5)
        print(f"{name} is healthy", flush=True)

    async def stop(self) -> Mapping[str, int]:
        """Send SIGTERM to each, as an engine does to the first process of a container; how each has ended."""
        codes = {}
        while self._running:
            name, process = self._running.popitem()
            if first := _first(process):
                first.terminate()
            codes[name] = await asyncio.wait_for(process.wait(), 60)
        return codes

    def written(self) -> Mapping[str, list[str]]:
        """For each container, the files of its root that are younger than the image's."""
        return {name: _younger(self._root(name), self._begun) for name in self._containers}

    async def program(self, name: str, folder: pathlib.Path, environment: Mapping[str, str], *command: str) -> None:
        """Start a server of this machine in place of an image that is not ours, as the file starts it."""
        log = (self._folder / f"{name}.log").open("wb")
        self._stack.callback(log.close)
        process = await asyncio.create_subprocess_exec(
            *command, env=os.environ | environment, cwd=folder, stdout=log, stderr=log
        )
        self._stack.push_async_callback(_end, process)

    def volume(self, name: str) -> pathlib.Path:
        """The folder of a volume; a path stands for itself."""
        path = pathlib.Path(name).resolve() if name.startswith(".") else self._folder / "volumes" / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    async def _start(self, name: str, arguments: tuple[str, ...], out: int | None) -> asyncio.subprocess.Process:
        service = compose.services()[name]
        image = build.image(service.ours)
        container = self._stack.enter_context(build.container(image, *_NAMES))
        self._containers[name] = container
        build.buildah("mount", container)
        command = [*service.raw["entrypoint"], *arguments] if arguments else service.command
        log = (self._folder / f"{name}.log").open("ab")
        self._stack.callback(log.close)
        words = ("buildah", "run", *self._options(service), container, "--", *command)
        return await asyncio.create_subprocess_exec(*words, stdout=out or log, stderr=log)

    def _options(self, service: compose.Service) -> list[str]:
        options = ["--isolation", "chroot", "--cap-drop", "all", "--user", service.raw["user"]]
        options += ["--workingdir", service.raw["working_dir"]] if "working_dir" in service.raw else []
        for key, value in service.environment.items():
            options += ["--env", f"{key}={value}"]
        for place, volume in service.volumes.items():
            mode = "ro" if f"{volume}:{place}:ro" in service.raw["volumes"] else "rw"
            source = self._folder / "work" if volume == "." else self._owned(volume, service)
            options += ["--volume", f"{source}:{place}:{mode}"]
        if "/tmp" not in service.volumes:
            options += ["--mount", "type=tmpfs,destination=/tmp"]
        return options

    def _owned(self, name: str, service: compose.Service) -> pathlib.Path:
        """An engine gives a new volume the owner of the folder that the image has at its place."""
        fresh = not (self._folder / "volumes" / name).exists()
        path = self.volume(name)
        if fresh and (name in ("sandbox", "gateway-work", "compiler-work")):
            os.chown(path, *map(int, service.raw["user"].split(":")))
        return path

    async def _inside(self, name: str, command: list[str]) -> int:
        """How a command ends in a container that runs: beside it, in the same root."""
        words = ("buildah", "run", *self._options(compose.services()[name]), self._containers[name], "--", *command)
        process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.DEVNULL, stderr=-3)
        return await process.wait()

    def _root(self, name: str) -> pathlib.Path:
        return pathlib.Path(build.buildah("mount", self._containers[name]))

    def _log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text(errors="replace")[-3000:]


@contextlib.asynccontextmanager
async def opened(folder: pathlib.Path) -> AsyncIterator[Yard]:
    """Everything that `docker compose up` starts, in that order, and healthy."""
    folder.chmod(0o755)
    (folder / "work").mkdir()
    os.chown(folder / "work", 65532, 65532)
    async with contextlib.AsyncExitStack() as stack:
        yard = Yard(folder, stack)
        await yard.once("keys")
        await _postgres(yard, folder)
        await _shell(yard, "nats", {"NATS_STORE_DIR": str(yard.volume("nats"))})
        await _shell(yard, "s3", {})
        for name in ("migrate", "topology", "bucket"):
            await _until_done(yard, name)
        stack.push_async_callback(yard.stop)
        for name in _LONG_LIVED:
            await yard.start(name)
        yield yard


async def _postgres(yard: Yard, folder: pathlib.Path) -> None:
    """PostgreSQL with the password and the arguments of the file; it may not run as root."""
    data, told = yard.volume("postgres"), compose.services()["postgres"]
    password = folder / "password"
    password.write_text((yard.volume("keys-postgres") / "password").read_text())
    os.chown(data, 65534, 65534)
    for path in (folder, folder / "volumes"):
        path.chmod(0o755)
    initdb = [str(postgres.binaries() / "initdb"), "-D", str(data), "-U", "postgres", "--auth=scram-sha-256"]
    initdb += [f"--pwfile={password}", *shlex.split(told.environment["POSTGRES_INITDB_ARGS"])]
    made = await asyncio.create_subprocess_exec(*initdb, user=65534, group=65534, stdout=asyncio.subprocess.DEVNULL)
    assert await made.wait() == 0
    server = [str(postgres.binaries() / "postgres"), *told.command[1:], "-D", str(data), "-k", ""]
    setpriv = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    await yard.program("postgres", data, {}, *setpriv, *server)


async def _shell(yard: Yard, name: str, environment: Mapping[str, str]) -> None:
    """A server that the file starts by a shell: the same line, with the paths of this machine."""
    told = compose.services()[name]
    line = told.command[-1]
    for place, volume in told.volumes.items():
        line = re.sub(rf"(?<![\w/]){place}(?=[/\s]|$)", str(yard.volume(volume)), line)
    line = line.replace("exec nats-server", f"exec {nats.binary()}").replace(
        "exec versitygw", f"exec {build.TOOLS / _S3}"
    )
    await yard.program(name, yard.volume(name), {**told.environment, **environment}, "/bin/sh", "-c", line)


async def _until_done(yard: Yard, name: str) -> None:
    """A one-shot service; its server may still be starting, which a health check waits for in compose."""
    for _ in range(20):
        try:
            await yard.once(name)
            return
        except RuntimeError as fault:
            last = fault
            await asyncio.sleep(1)
    raise last


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        await process.wait()


def _first(process: asyncio.subprocess.Process) -> psutil.Process | None:
    """The process that an engine would signal: what buildah has started for us."""
    below = psutil.Process(process.pid).children(recursive=True) if process.returncode is None else []
    return next((one for one in below if not one.cmdline()[0].startswith("buildah")), None)


def _younger(root: pathlib.Path, than: float) -> list[str]:
    """Files in the root that were written since; not in the places where volumes are mounted."""
    found = []
    for folder, folders, files in os.walk(root):
        if folder == str(root):
            folders[:] = [name for name in folders if name not in ("tmp", "data", "proc", "sys", "dev", "run", "etc")]
        found += [f"{folder}/{name}" for name in files if os.lstat(f"{folder}/{name}").st_mtime > than]
    return found
