"""The boards of these tests: three scenes of a second, the second opening on the last frame of the first."""

from pathlib import Path

import yaml

SCENES = 3
FPS = 24
FRAMES_PER_SCENE = FPS


def write(folder: Path, name: str, first_seed: int = 11, **more: object) -> Path:
    """A board file of that title; `more` are further fields of the board. Another seed makes other clips."""
    scenes = [
        {"title": "Ebb", "subject": "A rowing boat on wet sand", "duration": 1, "seed": first_seed},
        {
            "title": "Flood",
            "subject": "The water lifts the boat",
            "duration": 1,
            "seed": first_seed + 1,
            "seam": "last_frame",
        },
        {"title": "Night", "subject": "A lantern in a dark kitchen", "duration": 1, "seed": first_seed + 2},
    ]
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"name": name, "size": "640x360", "scenes": scenes} | more))
    return path
