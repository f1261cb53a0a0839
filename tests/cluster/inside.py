"""`python -m tests.cluster.inside FOLDER PROGRAMS`: the first program of the machine within the machine."""

import sys
from pathlib import Path

from tests.cluster import acts, cgroups, node


def main(folder: Path, programs: Path) -> None:
    """Start Kubernetes, and play all acts on it; ends with an exception when one is not as it should be."""
    cgroups.enter()
    with node.running(folder, programs) as place:
        acts.play(place)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
