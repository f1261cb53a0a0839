"""`python -m tests.studio.pictures`: pictures every page of a filled house: both themes, at a desk and on a phone."""

import argparse
import io
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from playwright import sync_api

from tests.contract import rooms
from tests.studio import browser, conftest, scenery

FOLDER = rooms.ROOT / "docs/studio"
THEMES, SIZES = ("dark", "light"), ("desk", "phone")
_COLOURS = 128
_SETTLED_MS = 700


class Page(NamedTuple):
    """A page: what its pictures are called, where it is, and what it is for."""

    name: str
    address: str
    says: str
    signed_in: bool = True


PAGES = [
    Page("sign-in", "/signin", "The door", signed_in=False),
    Page("projects", "/", "Every project, how far it is and what needs you"),
    Page("new", "/new", "A new project: from a script, from a template, from nothing"),
    Page("import", "/import", "A script or a shot list becomes a storyboard"),
    Page("editor", "/p/{letter}", "The storyboard: scenes, preview, words, and what comes before you pay"),
    Page("editor-failed", "/p/{pier}?scene=3", "A scene that the provider refused: cause, charge, remedies"),
    Page("quote", "/p/{letter}/quote", "The most it can cost, before anything is bought"),
    Page("production", "/p/{pier}/production", "A production with a failure and a question that is open"),
    Page("compare", "/p/{pier}/scenes/{scene}/compare", "Two takes of a scene in step; the better one is picked"),
    Page("film", "/p/{letter}/film", "The film: chapters, cuts, downloads, links"),
    Page("history", "/p/{letter}/history", "Every revision, to compare and to restore"),
    Page("shots", "/p/{letter}/shots", "The shot list, for paper"),
    Page("shared", "/s/{share}", "What somebody sees who has a link", signed_in=False),
    Page("settings-providers", "/settings/providers", "Keys, which go in and never come out; models and their prices"),
    Page("settings-budgets", "/settings/budgets", "Walls around what is bought, and how full they are"),
    Page("settings-webhooks", "/settings/webhooks?endpoint={hook}", "Who is told what happens, and what came of it"),
    Page("settings-tokens", "/settings/tokens", "Tokens for programs"),
    Page("settings-account", "/settings/account", "Theme, keyboard, motion, time"),
    Page("settings-shortcuts", "/settings/shortcuts", "Every key"),
    Page("ops-queues", "/ops/queues", "What waits and runs, of every tenant"),
    Page("ops-dead-letters", "/ops/dead-letters", "Events that nobody could handle"),
    Page("ops-money", "/ops/money", "Paid calls whose outcome is unknown, and the money that hangs on them"),
    Page("ops-providers", "/ops/providers", "Breakers, traffic, switches"),
    Page("ops-services", "/ops/services", "How each process does"),
    Page("ops-audit", "/ops/audit?verify=1", "What was decided, and the proof that nobody changed it"),
    Page("nothing-here", "/p/board_of_nobody", "An address that leads nowhere"),
]
"""Every page, one line each."""
_WITHOUT = ("nothing-here",)
"""Pages that are no success, and should not be."""


def main() -> int:
    """Write the pictures and the page that shows them; 1 when a page was not there."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--folder", type=Path, default=FOLDER)
    arguments.add_argument("--only", default="", help="names that begin so")
    asked = arguments.parse_args()
    pages = [it for it in PAGES if it.name.startswith(asked.only)]
    asked.folder.mkdir(parents=True, exist_ok=True)
    with conftest.living() as studio, browser.opened() as chromium:
        told = scenery.furnish(studio)
        taken = [it for it in pages if _take(chromium, studio, it, told, asked.folder)]
    if not asked.only:
        (asked.folder / "README.md").write_text(_album(taken))
    size = sum(it.stat().st_size for it in asked.folder.iterdir())
    sys.stdout.write(f"{len(taken)} of {len(pages)} pages, {size / 1e6:.1f} MB\n")
    return len(taken) < len(pages)


def _take(
    chromium: sync_api.Browser, studio: conftest.Studio, page: Page, told: Mapping[str, str], folder: Path
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
        if answer is None or (not answer.ok and page.name not in _WITHOUT):
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


def _album(pages: list[Page]) -> str:
    """The page that shows them: dark at the desk, light on the phone, and links to the others."""
    lines = ["# The studio in pictures", "", "Made anew by `make studio-pictures`, from films that the stand-in made."]
    for page in pages:
        files = {(theme, size): f"{page.name}-{theme}-{size}.png" for theme in THEMES for size in SIZES}
        others = f"[light]({files['light', 'desk']}) · [dark, phone]({files['dark', 'phone']})"
        lines += ["", f"## {page.says}", "", f"`{page.address}` · {others}", ""]
        lines.append(f'<img src="{files["dark", "desk"]}" width="76%" alt="{page.says}, dark, at a desk">')
        lines.append(f'<img src="{files["light", "phone"]}" width="20%" alt="{page.says}, light, on a phone">')
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
