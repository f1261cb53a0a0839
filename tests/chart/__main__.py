"""`python -m tests.chart HELM KUBECONFORM KINDS VERSION…`: renders the chart in every way, and says what is wrong."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.chart import environments, judging, rendering

_MINIMAL = rendering.CHART / "ci" / "minimal-values.yaml"
_WORLDLY = {"full-values.yaml": {"provider-gateway", "job", "storyboard"}}
"""Who reaches the world besides the gateway: webhooks are sent, and a writer is asked."""

_REFUSED = (
    "services.job.replcas=2",
    "services.job.replicas=two",
    "services.job.settings.log_levle=DEBUG",
    "services.job.settings.database_url=postgresql://inline",
    "services.job.settings.listen=0.0.0.0:1",
    "defaults.settings.environment=staging",
    "services.studio.settings.reflection=false",
    "services.compiler.settings.compiler_workers=many",
    "services.job.autoscaling.mode=both",
    "services.gateway.enabled=true",
    "services.job.secrets.databse_url.name=x",
    "defaults.image.pullPolicy=Sometimes",
    "migrations.mode=never",
    "networkPolicy.destinations.postgres.port=5432",
    "auth.isuer=x",
    "replicas=2",
)
"""What the schema should not let pass."""


def main(helm: str, kubeconform: str, kinds: str, *versions: str) -> None:
    """Say what is wrong; ends with 1 when anything is."""
    program = rendering.Helm(helm)
    wrong = [
        *(fault for values in rendering.VALUES for fault in _one(program, values, kubeconform, kinds, versions)),
        *_accepted(program),
        *_longest_names(program),
        *_packaged(program),
        *_unused(),
        *_neighbours(kubeconform, kinds, versions),
    ]
    for fault in wrong:
        print(fault)
    print(f"{len(rendering.VALUES)} sets of values, {len(_REFUSED)} refusals: {len(wrong)} faults")
    sys.exit(bool(wrong))


def _one(helm: rendering.Helm, values: Path, kubeconform: str, kinds: str, versions: tuple[str, ...]) -> Iterator[str]:
    manifest = helm.template(values)
    worldly = _WORLDLY.get(values.name, {"provider-gateway"})
    found = [*judging.all_of(manifest, worldly), *_strangers(manifest, kubeconform, kinds, versions)]
    with tempfile.TemporaryDirectory(prefix="rushes-chart-") as folder:
        found += environments.faults(manifest, Path(folder))
    yield from (f"{values.name}: {fault}" for fault in found)


def _strangers(manifest: str, kubeconform: str, kinds: str, versions: tuple[str, ...]) -> Iterator[str]:
    """What Kubernetes of each of these versions, or an operator, does not take."""
    place = "{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json"
    built_in = f"{kinds}/{{{{.NormalizedKubernetesVersion}}}}/{place}"
    for version in versions:
        done = subprocess.run(
            [
                *(kubeconform, "-strict", "-kubernetes-version", version.removeprefix("v")),
                *("-schema-location", built_in, "-schema-location", f"{kinds}/crds/{place}", "-"),
            ],
            input=manifest,
            capture_output=True,
            text=True,
            timeout=60,
        )
        yield from (f"Kubernetes {version}: {line}" for line in done.stdout.splitlines() if done.returncode)


def _neighbours(kubeconform: str, kinds: str, versions: tuple[str, ...]) -> Iterator[str]:
    """Those for trying run beside the release, where the restricted standard holds."""
    manifest = (rendering.CHART.parent / "trial" / "neighbours.yaml").read_text()
    yield from _strangers(manifest, kubeconform, kinds, versions)
    for name, pod in rendering.pods(manifest):
        yield from (f"{name}: {fault}" for fault in judging.restricted(pod))


def _accepted(helm: rendering.Helm) -> Iterator[str]:
    for one in _REFUSED:
        try:
            helm.template(_MINIMAL, "--set", one)
        except rendering.Refused as refused:
            if "values don't meet the specifications of the schema" not in str(refused):
                yield f"--set {one} is refused for another reason: {refused}"
        else:
            yield f"--set {one} is not refused"


def _longest_names(helm: rendering.Helm) -> Iterator[str]:
    """Helm lets a release's name have 53 characters."""
    full = rendering.CHART / "ci" / "full-values.yaml"
    yield from judging.all_of(helm.template(full, release="r" * 53), _WORLDLY[full.name])


def _packaged(helm: rendering.Helm) -> Iterator[str]:
    """What is linked into the chart is in its package."""
    values = rendering.CHART / "ci" / "ha-values.yaml"
    with tempfile.TemporaryDirectory(prefix="rushes-chart-") as folder:
        helm.run("package", str(rendering.CHART), "--destination", folder)
        (package,) = Path(folder).glob("*.tgz")
        if helm.template(values, chart=package) != helm.template(values):
            yield "the package renders otherwise than the folder"


def _unused() -> Iterator[str]:
    """Values that no template reads, by their last name."""
    templates = "".join(path.read_text() for path in (rendering.CHART / "templates").rglob("*.*"))
    lines = (rendering.CHART / "values.yaml").read_text().split("\nservices:")[0].splitlines()
    keys = {line.split(":")[0].strip() for line in lines if ":" in line and not line.lstrip().startswith(("#", "-"))}
    passed_on = {"defaults", "environment", "log_level", "tmp"}
    yield from (f"no template reads {key}" for key in sorted(keys - passed_on) if key not in templates)


if __name__ == "__main__":
    main(*sys.argv[1:])
