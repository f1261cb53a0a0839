"""A cluster that is this machine: what kubectl and helm are asked for in docs/kubernetes.md is done here."""

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from services.cli import house

HELM, FOLDER = "WALK_HELM", "WALK_FOLDER"


class Cluster:
    """What the commands have made so far, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("secret", "configmap", "logs"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711)

    def port(self, name: str) -> int:
        """Where something listens; always the same."""
        file = self.folder / "ports.json"
        if not file.exists():
            free = (
                port for port in range(random.randrange(20000, 31000), 32000) if house.is_free(port)
            )  # not ephemeral
            file.write_text(json.dumps(dict(zip([*house.PORTS, "s3"], free, strict=False))))
        return int(json.loads(file.read_text())[name])

    def start(self, name: str, command: list[str], told: dict[str, str], user: int | None = None) -> None:
        """A process that runs until `end`."""
        with (self.folder / "logs" / name).open("w") as log:
            begun = subprocess.Popen(command, env=told, stdout=log, stderr=log, user=user, group=user, cwd=self.folder)
        with (self.folder / "pids").open("a") as pids:
            pids.write(f"{begun.pid}\n")

    def end(self) -> None:
        """End every process, the last one first."""
        pids = self.folder / "pids"
        for pid in reversed(pids.read_text().split() if pids.exists() else []):
            try:
                os.kill(int(pid), signal.SIGTERM)
            except ProcessLookupError:
                continue


def kubectl(of: Cluster, *words: str) -> int:
    """What of it the page uses; everything else is a fault."""
    match words:
        case ("create", "secret", "generic", name, *keys):
            _keep(of.folder / "secret" / name, keys)
        case ("create", "configmap", name, *keys):
            _keep(of.folder / "configmap" / name, keys)
        case ("create" | "label", "namespace", *_) | ("config", "set-context", *_) | ("wait", *_):
            pass
        case ("exec", "deployment/s3", *_):
            pass
        case ("apply", "--filename", file):
            return _heavy("apply", of, file)
        case ("exec", "--stdin", "deployment/postgres", "--", "psql", *options):
            return _heavy("psql", of, *options)
        case ("port-forward", service, ports):
            here, name = ports.partition(":")[0], service.removeprefix("service/rushes-").removeprefix("service/")
            asyncio.run(_forward(int(here), of.port(name.replace("-", "_"))))
        case _:
            print(f"kubectl {' '.join(words)}: the page asks for what nobody here can do", file=sys.stderr)
            return 2
    return 0


def helm(of: Cluster, verb: str, *words: str) -> int:
    """`helm install` and `helm test`."""
    return _heavy(verb, of, *words)


def _heavy(verb: str, of: Cluster, *words: str) -> int:
    from tests.chart import running  # here: most commands are done before that would be in memory

    return int(getattr(running, verb)(of, *words) or 0)


def _keep(folder: Path, keys: list[str]) -> None:
    folder.mkdir()
    for key in keys:
        how, _, what = key.partition("=")
        name, _, text = what.partition("=")
        if how == "--from-literal":
            (folder / name).write_text(text)
        else:
            shutil.copyfile(text or name, folder / (name if text else Path(name).name))


async def _forward(here: int, there: int) -> None:
    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while piece := await source.read(1 << 16):
                sink.write(piece)
                await sink.drain()
        finally:
            sink.close()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", there)
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer), return_exceptions=True)

    server = await asyncio.start_server(carry, "127.0.0.1", here)
    await server.serve_forever()


if __name__ == "__main__":
    program, *asked = sys.argv[1:]
    play = {"kubectl": kubectl, "helm": helm}.get(program)
    sys.exit(play(Cluster(Path(os.environ[FOLDER])), *asked) if play else 0)
