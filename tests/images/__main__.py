"""Builds the images, runs docker-compose.yml from them, and makes the example film: `make images-test`."""

import asyncio
import contextlib
import json
import pathlib
import shutil
import sys
import tempfile

from tests.images import build, inside, sbom, yard

LARGEST = {"services": 250e6, "compiler": 600e6, "studio": 250e6}
"""In bytes."""


async def main() -> None:
    """Print what was found; ends with an exception when something is not as it should be."""
    for target, most in LARGEST.items():
        image = build.image(target)
        size = build.size(image)
        print(f"rushes-{target}: {size / 1e6:.0f} MB, {build.layers(image)} layers, {image.digest}", flush=True)
        assert size <= most, f"rushes-{target} is larger than {most / 1e6:.0f} MB"
        with build.mounted(image) as root:
            inside.look(root)
            assert target != "studio" or (root / "app/services/studio/static/vendor/htmx.js").exists()
            print(f"rushes-{target}: {sbom.write(root, target)} distributions", flush=True)
    if "--twice" in sys.argv:
        for target in LARGEST:
            once, again = build.afresh(target).digest, build.afresh(target).digest
            print(f"rushes-{target}, built from nothing twice: {once}, {again}", flush=True)
            assert once == again, f"rushes-{target} is not the same the second time"
    folder = pathlib.Path(tempfile.mkdtemp(prefix="rushes-images-"))
    try:
        await film(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def film(folder: pathlib.Path) -> None:
    """The services of the compose file, each in its image, make the film; nothing is written but where it may be."""
    async with contextlib.AsyncExitStack() as stack:
        house = await stack.enter_async_context(yard.opened(folder))
        output = folder / "work" / "film.mp4"
        shutil.copy("docs/examples/the-letter.yaml", output.parent)
        told = await house.once("rushes", "film", "the-letter.yaml", "-o", "film.mp4", "--yes", "--json")
        document = json.loads(told)
        print(f"film: {document['duration_seconds']} s, {output.stat().st_size} bytes", flush=True)
        assert document["duration_seconds"] > 10
        for name, written in house.written().items():
            assert not written, f"{name} wrote {written} into its root"
        for name, code in (await house.stop()).items():
            assert code == 0, f"{name} ended with {code} when it was told to stop"
    print("every service was healthy, wrote nothing into its root, and ended with 0", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
