"""One whole house for these tests, as `rushes film` starts it: every process real, on ports of its own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.cli import house, visit
from tests import collector, homes
from tests.crash import kills
from tests.e2e import traces

RESOURCE = {
    "deployment.environment.name": "test",
    "k8s.namespace.name": "films",
    "k8s.node.name": "node-1",
    "k8s.pod.name": "pod-1",
}
"""What a pod is told of where it runs."""


@pytest.fixture(scope="package")
def told() -> Iterator[collector.Collector]:
    """What the processes of the house have recorded of their work."""
    with collector.collecting() as listening:
        yield listening


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def of(told: collector.Collector) -> AsyncIterator[house.House]:
    """The house; afterwards nothing of it may run, and nothing may lie anywhere but in its folder.

    It ends with these tests, or with this process, however that ends; idle, it would take a tenth of a core.
    """
    with homes.folder("rushes-e2e-") as made, pytest.MonkeyPatch.context() as environment:
        home, temporary = Path(made) / "home", Path(made) / "tmp"
        temporary.mkdir()
        for name, value in kills.SPED_UP.items():
            environment.setenv(name, value)
        environment.setenv("TMPDIR", str(temporary))
        environment.setenv("RUSHES_OTLP_ENDPOINT", told.endpoint)
        environment.setenv("OTEL_RESOURCE_ATTRIBUTES", ",".join(f"{key}={of}" for key, of in RESOURCE.items()))
        async with visit.visiting(home, print) as started:
            yield started
        assert traces.processes(Path(made)) == {}
        assert traces.files(temporary) == set()
