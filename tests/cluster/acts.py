"""What is proved on the cluster: docs/kubernetes.md by its word, upgrades, a fault, and all of it without hooks."""

import asyncio
import subprocess
import sys
from pathlib import Path

from tests.chart import walk
from tests.cluster import load, places, pods
from tests.contract import rooms

_DONE_ELSEWHERE = ("docker", "kind", "make")
"""The images were built and loaded before, and the command is installed."""
_HELM = "helm install rushes deploy/helm/rushes --values deploy/helm/rushes/ci/dev-values.yaml --wait --timeout 10m"
_NO_HOOKS = (
    "helm template rushes deploy/helm/rushes --namespace films --no-hooks"
    " --values deploy/helm/rushes/ci/dev-values.yaml"
    " --set migrations.mode=initContainer --set topology.mode=job | kubectl apply --filename -\n"
    "kubectl rollout status deployment --selector app.kubernetes.io/instance=rushes --timeout 10m"
)
_CHART = ("rushes", "deploy/helm/rushes", "--reuse-values", "--wait", "--timeout=10m")


def play(of: places.Place) -> None:
    """Play all of it. Raises AssertionError and CalledProcessError for what is not as it should be."""
    with walk.place_of(_DONE_ELSEWHERE, "tests.chart.cluster") as here:
        _walk(of, here, walk.commands())
        print(f"docs/kubernetes.md by its word: a film of {(here / 'film.mp4').stat().st_size} bytes", flush=True)
        pods.check(of)
        _upgrades(of, here)
        _modes(of)
        pods.outlive(of, "postgres")
        of.run("helm", "uninstall", "rushes", "--wait")
        of.kubectl("delete", "namespace", "films")
    with walk.place_of(_DONE_ELSEWHERE, "tests.chart.cluster") as here:
        assert _HELM in walk.commands()
        whole = walk.commands().replace(_HELM, _NO_HOOKS).replace("helm test rushes --logs\n", "")
        _walk(of, here, whole)
        print(f"without hooks: a film of {(here / 'film.mp4').stat().st_size} bytes", flush=True)
        pods.check(of)


def _walk(of: places.Place, here: Path, commands: str) -> None:
    """Type it, in a folder that looks like the checkout."""
    told = of.told | {"PATH": f"{here / 'bin'}:{of.told['PATH']}", "PYTHONPATH": str(rooms.ROOT)}
    subprocess.run(["bash", "-eu", "-c", commands], cwd=here, env=told, check=True, stderr=sys.stdout)


def _upgrades(of: places.Place, here: Path) -> None:
    """Two of each, then other settings for all of them, while they are called; then a third of one."""
    _upgrade(of, "defaults.replicas=2", "services.sandbox.replicas=1", *load.UNLIMITED)
    token = (here / "cluster" / "token").read_text().strip()
    told = asyncio.run(load.during(token, lambda: _upgrade(of, "defaults.settings.log_level=WARNING")))
    print(f"every pod replaced under load: {told}", flush=True)
    assert pods.said(of, "rushes-job-migrate") >= 3, "an upgrade migrates"
    told = asyncio.run(load.during(token, lambda: _scale_out(of)))
    print(f"scaled out and in under load: {told}", flush=True)


def _scale_out(of: places.Place) -> None:
    before = {pod["metadata"]["name"] for pod in pods.of_service(of, "job")}
    _upgrade(of, "services.job.replicas=3")
    (new,) = [pod for pod in pods.of_service(of, "job") if pod["metadata"]["name"] not in before]
    seconds = of.until("calls at the new pod", lambda: load.calls_at(new["status"]["podIP"]) > 0)
    print(f"a third pod of the job service was called {seconds:.0f} s after it was ready", flush=True)
    _upgrade(of, "services.job.replicas=2")


def _modes(of: places.Place) -> None:
    """The other ways to migrate, one after the other."""
    for migrations, topology in (("initContainer", "job"), ("external", "external"), ("hook", "hook")):
        _upgrade(of, "defaults.replicas=1", f"migrations.mode={migrations}", f"topology.mode={topology}")
        print(f"upgraded with migrations.mode={migrations}, topology.mode={topology}", flush=True)


def _upgrade(of: places.Place, *values: str) -> None:
    told = [word for value in values for word in ("--set", value)]
    of.run("helm", "upgrade", *_CHART, *told)
