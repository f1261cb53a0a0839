"""Pages trust nothing that they are not told to: what the policy of content forbids is not even written."""

import re

import pytest

from tests.contract import rooms

STUDIO = rooms.ROOT / "services/studio"
TEMPLATES = sorted(STUDIO.glob("templates/**/*.html"))
OURS = sorted(path for path in STUDIO.glob("static/*") if path.suffix in (".css", ".js"))
_FORBIDDEN = {
    r"\sstyle\s*=": "a style of its own",
    r"\son[a-z]+\s*=": "a script in an attribute",
    r"<script(?![^>]*\ssrc=)": "a script without a file",
    r"<style": "a style sheet inside",
    r"hx-on|hx-vals=.js:|javascript:": "what htmx would evaluate",
    r"\|\s*safe\b|autoescape": "text that is not escaped",
    r"<(?:base|iframe|object|embed)\b": "a page within the page",
    r'(?:src|srcset|action|formaction|hx-[a-z]+)="(?:https?:)?//': "another origin",
}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(STUDIO)))
def test_a_template_holds_nothing_that_runs_by_itself(path):
    text = path.read_text()
    assert [what for pattern, what in _FORBIDDEN.items() if re.search(pattern, text, re.IGNORECASE)] == []


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_styles_and_scripts_name_no_other_origin_and_evaluate_nothing(path):
    text = path.read_text().replace("http://www.w3.org/", "")
    assert not re.search(r"(?:https?:|url\(\s*['\"]?)//|@import|\beval\(|new Function", text)


@pytest.mark.parametrize("path", sorted(STUDIO.glob("pages/**/*.py")), ids=lambda path: path.stem)
def test_pages_mark_no_text_as_safe(path):
    assert not re.search(r"\bMarkup\b|markupsafe", path.read_text())
