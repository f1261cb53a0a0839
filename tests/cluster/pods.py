"""Looks at the pods of the release: what they may do, and what they do when a neighbour is away."""

from collections.abc import Sequence
from typing import Any

from tests.cluster import places

_WRITES = "import os, sys; print(os.getuid()); open('/app/x', 'w')"
_READ_ONLY = "Read-only file system"
_OF_RELEASE = "--selector=app.kubernetes.io/instance=rushes"
_STATELESS = {"rushes-studio", "rushes-sandbox"}
"""They need no database to be ready."""


def of_service(of: places.Place, name: str = "") -> Sequence[Any]:
    """The pods of a service, or of all; those that are ending are not among them."""
    more = f",rushes/service={name}" if name else ",rushes/service"
    found = of.objects("pods", "--namespace=films", _OF_RELEASE + more)
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def check(of: places.Place) -> None:
    """The standard is enforced; every pod is somebody who is not root, before a root that is read-only."""
    refused = of.complaint("kubectl", "--namespace=films", "run", "root", "--image=localhost/pause:1")
    assert "violates PodSecurity" in refused, refused
    found = of_service(of)
    for pod in found:
        name = pod["metadata"]["name"]
        said = of.complaint("kubectl", "--namespace=films", "exec", name, "--", "python", "-c", _WRITES)
        assert _READ_ONLY in said, f"{name}: {said}"
        assert "65532\n" in said, f"{name}: {said}"
        assert _restarts(pod) == 0, f"{name} was started again"
    print(f"{len(found)} pods: restricted by the API, not root, before a read-only root, never restarted", flush=True)


def outlive(of: places.Place, neighbour: str) -> None:
    """While the neighbour is away, who needs it is not ready, and nobody is started again."""
    of.kubectl("--namespace=films", "scale", f"deployment/{neighbour}", "--replicas=0")
    of.until(f"nobody ready without {neighbour}", lambda: not (_ready(of) - _STATELESS))
    assert _STATELESS <= _ready(of), "they need no database"
    again = {pod["metadata"]["name"]: _restarts(pod) for pod in of_service(of) if _restarts(pod)}
    assert not again, f"started again: {again}"
    print(f"without {neighbour}: not ready, and not started again", flush=True)


def said(of: places.Place, job: str) -> int:
    """How many Jobs of that name have run to their end: each leaves an event."""
    events = of.objects("events", "--namespace=films", f"--field-selector=involvedObject.name={job},reason=Completed")
    return len({one["involvedObject"]["uid"] for one in events})


def _ready(of: places.Place) -> set[str]:
    """The Deployments with a pod that is ready."""
    found = of.objects("deployments", "--namespace=films", _OF_RELEASE)
    return {one["metadata"]["name"] for one in found if one["status"].get("readyReplicas")}


def _restarts(pod: Any) -> int:
    return sum(one["restartCount"] for one in pod["status"]["containerStatuses"])
