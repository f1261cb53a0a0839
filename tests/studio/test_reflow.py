"""Nothing is lost on a page that is enlarged, spaced, without our colours, or asked to stand still."""

import pytest
from playwright.sync_api import Page

from tests.studio import fit, pages
from tests.studio.conftest import Show

NARROW, ENLARGED, DESK = (320, 640), (320, 256), (1440, 900)
"""A small phone; a window of 1280 by 1024 at 400 %; a desk."""
_NAMED = {"ids": lambda told: told.name}
_UNMARKED = """
() => {
  const look = (one) => {
    const style = getComputedStyle(one);
    const edges = [style.outlineStyle, style.borderBlockEndColor, style.borderInlineStartColor];
    return [style.fontWeight, style.textDecorationLine, ...edges].join();
  };
  return [...document.querySelectorAll("[aria-current], [aria-pressed=true], .take[data-picked] .no")]
    .filter((one) => one.checkVisibility())
    .flatMap((one) => {
      const now = look(one), kept = ["aria-current", "aria-pressed"].map((name) => [name, one.getAttribute(name)]);
      const take = one.closest(".take");
      kept.forEach(([name]) => one.removeAttribute(name));
      take?.removeAttribute("data-picked");
      const without = look(one);
      kept.forEach(([name, value]) => value && one.setAttribute(name, value));
      take?.setAttribute("data-picked", "");
      return now === without ? [one.outerHTML.slice(0, 120)] : [];
    });
}
"""
_FOCUS = """
() => {
  const one = document.activeElement, around = one.closest(".project");
  const isElsewhere = one === document.body || one.localName === "video";
  return isElsewhere || [one, around].some((it) => {
    const style = it && getComputedStyle(it);
    return style && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  });
}
"""
"""Past the last stop the browser itself has the focus, and within a video its controls show theirs."""
_MOVING = """
() => document.getAnimations()
  .filter((one) => one.playState === "running").map((one) => one.animationName ?? one.transitionProperty)
"""


def _size(page: Page, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})


@pytest.mark.parametrize("told", [*pages.PAGES, *pages.OTHERS, *pages.OPENED], **_NAMED)
def test_all_of_it_is_there_on_a_narrow_an_enlarged_and_a_spaced_page(
    show: Show, told: pages.Page | pages.Opened
) -> None:
    page = show(told, NARROW)
    assert fit.faults(page) == []
    _size(page, ENLARGED)
    assert fit.faults(page) == []
    fit.spaced(page)
    assert fit.faults(page) == []
    if isinstance(told, pages.Page):
        _size(page, DESK)
        assert fit.faults(page) == []


@pytest.mark.parametrize("told", [*pages.PAGES, *pages.OTHERS], **_NAMED)
def test_without_our_colours_and_movements_one_sees_where_one_is(show: Show, told: pages.Page) -> None:
    page = show(told)
    page.emulate_media(forced_colors="active", reduced_motion="reduce")
    assert page.evaluate(_UNMARKED) == []
    for _ in range(6):
        page.keyboard.press("Tab")
        assert page.evaluate(_FOCUS), page.evaluate("document.activeElement.outerHTML")
        assert page.evaluate(_MOVING) == []
    for act in page.locator("main .btn:visible").all()[:2]:
        act.hover()
        assert page.evaluate(_MOVING) == []
    page.keyboard.press("Control+s")
    assert page.evaluate(_MOVING) == []
