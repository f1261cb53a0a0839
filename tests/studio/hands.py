"""Two people at a page: one has a keyboard alone, one a finger; each sees to it that the page is fit for them."""

from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.studio import browser

_LOOK = Path(__file__).with_suffix(".js").read_text()
_TARGET = 44


class Keyboard:
    """Somebody without a mouse; wherever they go they see where they are."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def press(self, *keys: str) -> None:
        """Press keys, and see the focus after each."""
        for key in keys:
            self.page.keyboard.press(key)
            self.see()

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)

    def see(self) -> None:
        """The focus is somewhere, marked, and in sight."""
        wrong = ""
        for _ in range(20):
            if not (wrong := self.page.evaluate(f"{_LOOK}.focus()")):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"{self.page.url}: {wrong}")

    def reach(self, wanted: Locator, most: int, key: str = "Tab") -> None:
        """Come to it with at most so many presses of a key."""
        expect(wanted).to_be_visible()
        passed: list[str] = []
        for _ in range(most):
            self.press(key)
            if wanted.evaluate("(it) => it === document.activeElement"):
                return
            passed.append(self.page.evaluate("document.activeElement.outerHTML.slice(0, 90)"))
        raise AssertionError(f"{wanted} is farther than {most} presses of {key}: {passed}")

    def into(self) -> None:
        """Skip what every page begins with."""
        self.reach(self.page.get_by_role("link", name="Skip to the content"), 1)
        self.press("Enter")
        expect(self.page.locator("#main")).to_be_focused()


class Finger:
    """Somebody with a phone; nothing is too small for them."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def tap(self, wanted: Locator) -> None:
        wanted.tap()

    def write(self, field: Locator, text: str) -> None:
        """Tap a field, and write over what stands in it, as on the keys of a screen."""
        field.tap()
        expect(field).to_be_focused()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)

    def fits(self) -> None:
        """Everything here can be tapped, and nothing is beside the screen."""
        assert self.page.evaluate(f"{_LOOK}.small({_TARGET})") == [], self.page.url
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), self.page.url


def extent(of: Locator) -> tuple[float, float]:
    """How wide and how high it is on the screen, in pixels."""
    box = of.bounding_box()
    assert box
    return box["width"], box["height"]


def is_for_everybody(page: Page) -> None:
    """Nothing is wrong with the page as it stands, by night and by day."""
    for theme in ("dark", "light"):
        browser.dress(page, theme)
        assert browser.axe(page) == [], (page.url, theme)
