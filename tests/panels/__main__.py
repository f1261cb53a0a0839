"""`python -m tests.panels`: films of every kind through a house that is watched, and a picture of each dashboard."""

import argparse
import itertools
import time
from pathlib import Path

from tests import homes
from tests.contract import observability, rooms
from tests.panels import draw, watch
from tests.studio import conftest, scenery

_PICTURES = rooms.ROOT / "docs/pictures/dashboards"
_BOARD = [
    {"title": "Dawn", "subject": "A harbour at dawn [[slow(2)]]", "duration": "1s"},
    {"title": "Rope", "subject": "A wet rope runs out", "duration": "1s"},
    {"title": "Busy", "subject": "A winch that turns [[busy(1)]]", "duration": "1s"},
]
_FAILS = {"title": "Knife", "subject": "A blade on planks [[fails]]", "duration": "1s"}


def main() -> None:
    """Write them, and say which panels nothing was answered to."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("prometheus", help="The program.")
    arguments.add_argument("--seconds", type=int, default=180, help="How long the house works.")
    asked = arguments.parse_args()
    with homes.folder("rushes-panels-") as folder, conftest.living() as studio:
        with watch.looking(asked.prometheus, studio.house, Path(folder)) as seen:
            _work(studio, asked.seconds)
            _draw(seen)


def _work(studio: conftest.Studio, seconds: int) -> None:
    until = time.monotonic() + seconds
    scenery.furnish(studio)
    for number in itertools.takewhile(lambda _: time.monotonic() < until, itertools.count(1)):
        scenes = _BOARD if number % 3 else [*_BOARD, _FAILS]
        scenery.film_of(studio, studio.project(name=f"Harbour {number}", scenes=scenes)["id"])


def _draw(seen: watch.Watch) -> None:
    _PICTURES.mkdir(parents=True, exist_ok=True)
    for name, told in observability.dashboards().items():
        picture, empty = draw.board(told, seen)
        (_PICTURES / f"{name}.svg").write_text(picture)
        print(f"{name}: {len(told['panels'])} panels; nothing to tell in: {', '.join(empty) or 'none'}")


if __name__ == "__main__":
    main()
