"""Judges what was rendered: the restricted standard, names, secrets, and who reaches whom."""

from collections.abc import Iterator
from typing import Any

from tests.chart import rendering

_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
_WORLD = "0.0.0.0/0"
_LONGEST = 63


def all_of(manifest: str, worldly: set[str]) -> Iterator[str]:
    """Every fault; `worldly` are the components that may reach the world."""
    for name, pod in rendering.pods(manifest):
        yield from (f"{name}: {fault}" for fault in [*restricted(pod), *_ours(pod)])
    yield from _names(manifest)
    yield from _reach(manifest, worldly)


def restricted(pod: rendering.Object) -> Iterator[str]:
    """kubernetes.io/docs/concepts/security/pod-security-standards: what `restricted` refuses."""
    security = pod.get("securityContext", {})
    if any(pod.get(shared) for shared in ("hostNetwork", "hostPID", "hostIPC")):
        yield "it shares something with its node"
    for volume in pod.get("volumes", []):
        yield from (f"{kind} is no volume for it" for kind in set(volume) - {"name"} - _VOLUMES)
    if security.get("runAsNonRoot") is not True or security.get("runAsUser") == 0:
        yield "it may run as root"
    if security.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "it has no seccomp profile"
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        own = container.get("securityContext", {})
        if own.get("privileged") or own.get("allowPrivilegeEscalation") is not False:
            yield "it may get privileges"
        if own.get("capabilities") != {"drop": ["ALL"]}:
            yield "it has capabilities"
        if any("hostPort" in port for port in container.get("ports", [])):
            yield "it has a port of its node"


def _ours(pod: rendering.Object) -> Iterator[str]:
    """What we ask besides."""
    if pod.get("automountServiceAccountToken") is not False or pod.get("enableServiceLinks") is not False:
        yield "it is given a token, or an environment that is not ours"
    for volume in pod.get("volumes", []):
        if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
            yield f"{volume['name']} may grow without end"
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        if container["securityContext"].get("readOnlyRootFilesystem") is not True:
            yield "it may write anywhere"
        resources = container.get("resources", {})
        if not {"cpu", "memory", "ephemeral-storage"} <= set(resources.get("requests", {})):
            yield "it does not say what it needs"
        if resources.get("limits", {}).get("memory") != resources["requests"]["memory"]:
            yield "its memory is not its own"


def _names(manifest: str) -> Iterator[str]:
    seen = set[tuple[str, str]]()
    for one in rendering.objects(manifest):
        key = one["kind"], one["metadata"]["name"]
        if key in seen:
            yield f"{key} is there twice"
        seen.add(key)
        if len(key[1]) > _LONGEST:
            yield f"{key} is too long"
        if one["kind"] == "Secret":
            yield f"{key}: the chart holds a secret"


def _reach(manifest: str, worldly: set[str]) -> Iterator[str]:
    """Whoever may go somewhere is let in there, and nobody but these reaches the world."""
    rules = {_component(one): one["spec"] for one in rendering.objects(manifest) if one["kind"] == "NetworkPolicy"}
    outward = {(name, other) for name, spec in rules.items() for other in _peers(spec.get("egress", []), "to")}
    inward = {(other, name) for name, spec in rules.items() for other in _peers(spec.get("ingress", []), "from")}
    yield from (f"{one} goes to {other} and is not let in" for one, other in sorted(outward - inward))
    far = {name for name, spec in rules.items() if _WORLD in str(spec.get("egress"))}
    yield from (f"{name} reaches the world" for name in sorted(far - worldly))
    yield from (f"{name} does not reach the world" for name in sorted(worldly - far))


def _component(policy: rendering.Object) -> str:
    return str(policy["spec"]["podSelector"]["matchLabels"].get("app.kubernetes.io/component", ""))


def _peers(rules: list[Any], side: str) -> Iterator[str]:
    for rule in rules:
        for peer in rule.get(side, []):
            if pod := peer.get("podSelector"):
                yield pod["matchLabels"]["app.kubernetes.io/component"]
