"""What somebody signs in with, in words that they know again: "Firefox on Linux"."""

from starlette import requests

# Browsers call themselves by the names of others too: whoever is itself comes before whom it claims to be.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def told(request: requests.Request) -> str:
    """The browser and its system, as the request says it; empty for what is neither."""
    agent = request.headers.get("user-agent", "")
    browser, system = (_first(agent, known) for known in (_BROWSERS, _SYSTEMS))
    return " on ".join(filter(None, (browser, system)))


def _first(agent: str, known: tuple[tuple[str, str], ...]) -> str:
    return next((word for mark, word in known if mark in agent), "")
