"""A printable shot list: one HTML page that needs nothing else, for A4."""

import html
from collections.abc import Iterator, Sequence

from services.storyboard import domain, presets

_STYLE = """
@page { size: A4; margin: 16mm 14mm; }
body { font: 10pt/1.4 system-ui, sans-serif; color: #111; background: #fff; max-width: 190mm; margin: 0 auto; }
h1 { font-size: 20pt; margin: 0; } h2 { font-size: 12pt; margin: 6mm 0 1mm; } p { margin: 1mm 0; }
table { border-collapse: collapse; width: 100%; } thead { display: table-header-group; }
th, td { border: 0.3mm solid #999; padding: 1.2mm 1.6mm; text-align: start; vertical-align: top; }
tr { break-inside: avoid; } th { background: #eee; } td, p { overflow-wrap: anywhere; white-space: pre-line; }
.n { width: 8mm; text-align: end; } .s { width: 12mm; white-space: nowrap; }
.t { font-weight: 600; } .d { color: #444; }
@media screen { body { padding: 8mm; } }
"""
_SHOWN = ("subject", "action", "setting", "dialogue", "caption", "negative_prompt", "model")
_LABELS = {"dialogue": "Dialogue", "caption": "Caption", "negative_prompt": "Avoid", "model": "Model"}
_LOOK = ("camera", "lighting", "mood")
_SEAMS = {domain.Seam.CUT: "", domain.Seam.LAST_FRAME: "from last frame", domain.Seam.SHARED_KEYFRAME: "shared still"}


def write(content: domain.Content) -> str:
    """The page; no scripts, nothing loaded, every word escaped."""
    return "\n".join(_page(content)) + "\n"


def _page(content: domain.Content) -> Iterator[str]:
    name, seconds = _text(content.name), sum(scene.seconds for scene in content.scenes)
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{name}: shot list</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{name}</h1>"
    if content.logline:
        yield f"<p>{_text(content.logline)}</p>"
    yield f'<p class="d">{_text(_facts(content, seconds))}</p>'
    yield "<h2>Shots</h2>\n<table>\n<thead><tr><th>No.</th><th>Shot</th><th>Look</th><th>Who and what</th><th>Time</th>"
    yield "</tr></thead>\n<tbody>"
    for number, scene in enumerate(content.scenes, 1):
        yield _row(number, scene)
    yield "</tbody>\n</table>"
    people = [(it.name, it.profile) for it in content.characters]
    yield from _things("Characters", people)
    yield from _things("Locations", [(it.name, it.description) for it in content.locations])
    yield from _things("Props", [(it.name, it.description) for it in content.props])
    yield "</body>\n</html>"


def _facts(content: domain.Content, seconds: int) -> str:
    look = presets.BY_KEY.get(content.preset or presets.DEFAULT)
    size = content.size or domain.Size(width=1280, height=720)
    facts = [f"{len(content.scenes)} shots", f"{seconds} s", f"{size.width} × {size.height}"]  # noqa: RUF001
    facts += [look.title if look else content.preset, content.model, "silent" if content.silent else ""]
    return " · ".join(fact for fact in facts if fact)


def _row(number: int, scene: domain.Scene) -> str:
    shot = [f'<p class="t">{_text(scene.title)}</p>'] if scene.title else []
    shot += [_line(_LABELS.get(name, ""), getattr(scene, name)) for name in _SHOWN]
    look = [_line(name.capitalize(), getattr(scene, name)) for name in _LOOK]
    there = [
        _line("", ", ".join(scene.cast)), _line("At", scene.location), _line("With", ", ".join(scene.props))
    ]  # fmt: skip
    seam = f'<p class="d">{_SEAMS[scene.seam]}</p>' if scene.seam is not domain.Seam.CUT else ""
    seed = _line("Seed", "" if scene.seed is None else str(scene.seed))
    return (
        f'<tr><td class="n">{number}</td><td>{"".join(shot)}</td><td>{"".join(look)}</td>'
        f'<td>{"".join(there)}</td><td class="s">{scene.seconds} s{seam}{seed}</td></tr>'
    )


def _things(heading: str, things: Sequence[tuple[str, str]]) -> Iterator[str]:
    if things:
        yield f"<h2>{heading}</h2>\n<table>\n<tbody>"
        yield from (f'<tr><td class="t">{_text(name)}</td><td>{_text(said)}</td></tr>' for name, said in things)
        yield "</tbody>\n</table>"


def _line(label: str, text: str) -> str:
    lead = f'<span class="d">{label}:</span> ' if label else ""
    return f"<p>{lead}{_text(text)}</p>" if text else ""


def _text(text: str) -> str:
    return html.escape(text)
