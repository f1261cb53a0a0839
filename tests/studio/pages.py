"""Every page of the studio, once: what is pictured, measured, and looked at in every dress."""

from typing import NamedTuple

from playwright import sync_api


class Page(NamedTuple):
    """A page: what its pictures are called, where it is, and what it is for; no pictures are made of those without."""

    name: str
    address: str
    says: str = ""
    signed_in: bool = True


class Opened(NamedTuple):
    """What lies over a page once something was done: a key pressed, or else a thing clicked."""

    name: str
    address: str
    key: str = ""
    click: str = ""

    def open(self, page: sync_api.Page) -> None:
        """Do it, and wait until it is there."""
        page.wait_for_load_state("networkidle")
        page.keyboard.press(self.key) if self.key else page.locator(self.click).first.click()
        page.locator("dialog[open], details.menu[open]").first.wait_for()


PAGES = [
    Page("sign-in", "/signin", "The door", signed_in=False),
    Page("projects", "/", "Every project, how far it is and what needs you"),
    Page("new", "/new", "A new project: from a script, from a template, from nothing"),
    Page("import", "/import", "A script or a shot list becomes a storyboard"),
    Page("editor", "/p/{letter}", "The storyboard: scenes, preview, words, and what comes before you pay"),
    Page("editor-failed", "/p/{pier}?scene=3", "A scene that the provider refused: cause, charge, remedies"),
    Page("quote", "/p/{sketch}/quote", "The most it can cost, before anything is bought"),
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
    Page("settings-people", "/settings/people", "Who belongs here, what they may, and who is invited"),
    Page("settings-account", "/settings/account", "Where one is signed in; theme, keyboard, motion, time"),
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

OTHERS = [
    Page("signed-in", "/signin/done"),
    Page("projects-deleted", "/?show=deleted"),
    Page("editor-scenes", "/p/{letter}?pane=scenes"),
    Page("editor-details", "/p/{letter}?pane=details"),
    Page("editor-camera", "/p/{letter}?pane=details&tab=camera"),
    Page("editor-people", "/p/{letter}?pane=details&tab=cast"),
    Page("editor-prompt", "/p/{letter}?pane=details&tab=prompt"),
    Page("editor-cast", "/p/{letter}?open=cast"),
    Page("editor-look", "/p/{letter}?open=look"),
    Page("editor-project", "/p/{letter}?open=project"),
    Page("editor-empty", "/p/{empty}"),
    Page("takes", "/p/{pier}/scenes/{scene}/takes"),
    Page("quote-nothing", "/p/{letter}/quote"),
    Page("production-none", "/p/{sketch}/production"),
    Page("production-running", "/p/{harbour}/production"),
    Page("production-job", "/p/{pier}/production?job={job}"),
    Page("film-none", "/p/{empty}/film"),
    Page("history-compared", "/p/{letter}/history?from=0&to=1"),
    Page("shots-none", "/p/{empty}/shots"),
    Page("links", "/films/{film}/shares"),
    Page("shared-closed", "/s/{closed}", signed_in=False),
    Page("shared-nothing", "/s/nothing", signed_in=False),
    Page("ops-settings", "/ops/services?settings=job"),
    Page("house", "/house"),
]
"""The same pages in other states, and small ones."""

OPENED = [
    Opened("keys", "/", key="?"),
    Opened("places", "/", key="Control+k"),
    Opened("person", "/", click=".person summary"),
    Opened("sort", "/", click=".filters .menu summary"),
    Opened("card", "/", click=".project .menu summary"),
    Opened("quote", "/p/{sketch}/production", click="[hx-get$='/quote']"),
    Opened("templates", "/p/{letter}?pane=scenes", click=".tools .menu summary >> nth=0"),
    Opened("scene", "/p/{letter}?pane=scenes", click=".tools .menu summary >> nth=1"),
    Opened("naming", "/p/{letter}/history", click=".bursts .menu summary"),
    Opened("key", "/settings/providers", click=".acts .menu summary >> nth=0"),
    Opened("hook", "/settings/webhooks", click=".acts .menu summary"),
    Opened("token", "/settings/tokens", click=".acts .menu summary"),
    Opened("letter", "/ops/dead-letters", click=".acts .menu summary"),
    Opened("money", "/ops/money", click=".acts .menu summary"),
]
"""Every dialog and kind of menu."""

REFUSED = ("nothing-here", "shared-nothing")
"""Pages that are no success, and should not be."""
