"""`python -m tests.studio.pictures`: pictures every page of a filled house: both themes, at a desk and on a phone."""

import argparse
import io
import sys
from collections.abc import Mapping
from pathlib import Path

from PIL import Image
from playwright import sync_api

from tests.contract import rooms
from tests.studio import browser, conftest, pages, scenery

FOLDER = rooms.ROOT / "docs/studio"
THEMES, SIZES = ("dark", "light"), ("desk", "phone")
_COLOURS = 128
_SETTLED_MS = 700


def main() -> int:
    """Write the pictures and the page that shows them; 1 when a page was not there."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--folder", type=Path, default=FOLDER)
    arguments.add_argument("--only", default="", help="names that begin so")
    asked = arguments.parse_args()
    wanted = [it for it in pages.PAGES if it.name.startswith(asked.only)]
    asked.folder.mkdir(parents=True, exist_ok=True)
    with conftest.living() as studio, browser.opened() as chromium:
        told = scenery.furnish(studio)
        taken = [it for it in wanted if _take(chromium, studio, it, told, asked.folder)]
    if not asked.only:
        (asked.folder / "README.md").write_text(_album(taken))
    size = sum(it.stat().st_size for it in asked.folder.iterdir())
    sys.stdout.write(f"{len(taken)} of {len(wanted)} pages, {size / 1e6:.1f} MB\n")
    return len(taken) < len(wanted)


def _take(
    chromium: sync_api.Browser, studio: conftest.Studio, page: pages.Page, told: Mapping[str, str], folder: Path
) -> bool:
    """The four pictures of a page; False, and a line that says so, when it is not there."""
    try:
        address = page.address.format_map(told)
    except KeyError as missing:
        sys.stderr.write(f"{page.name}: nothing is known of {missing}\n")
        return False
    with chromium.new_context(base_url=studio.url) as context:
        if page.signed_in:
            conftest.let_in(context, studio)
        shown = context.new_page()
        answer = shown.goto(address)
        if answer is None or (not answer.ok and page.name not in pages.REFUSED):
            sys.stderr.write(f"{page.name}: {address} answers {answer and answer.status}\n")
            return False
        for size in SIZES:
            for theme in THEMES:
                browser.wear(shown, theme, size)
                shown.wait_for_timeout(_SETTLED_MS)
                _keep(shown.screenshot(), folder / f"{page.name}-{theme}-{size}.png")
    return True


def _keep(picture: bytes, place: Path) -> None:
    """As small as it is still sharp: so many colours, chosen for it."""
    with Image.open(io.BytesIO(picture)) as full:
        few = full.convert("RGB").quantize(_COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        few.save(place, optimize=True)


def _album(taken: list[pages.Page]) -> str:
    """The page that shows them: dark at the desk, light on the phone, and links to the others."""
    lines = ["# The studio in pictures", "", "Made anew by `make studio-pictures`, from films that the stand-in made."]
    for page in taken:
        files = {(theme, size): f"{page.name}-{theme}-{size}.png" for theme in THEMES for size in SIZES}
        others = f"[light]({files['light', 'desk']}) · [dark, phone]({files['dark', 'phone']})"
        lines += ["", f"## {page.says}", "", f"`{page.address}` · {others}", ""]
        lines.append(f'<img src="{files["dark", "desk"]}" width="76%" alt="{page.says}, dark, at a desk">')
        lines.append(f'<img src="{files["light", "phone"]}" width="20%" alt="{page.says}, light, on a phone">')
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
