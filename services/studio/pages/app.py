"""The application of the pages: every screen's routes, and how their refusals are shown."""

from collections.abc import Callable

import fastapi
from starlette import types

from services.studio.pages import (
    beginnings,
    bounds,
    compare,
    downloads,
    editor,
    editor_acts,
    editor_things,
    faults,
    files,
    film,
    history,
    house,
    importing,
    links,
    ops,
    people,
    production,
    projects,
    quote,
    settings,
    shared,
    shots,
    signing,
    site,
    steps,
    takes,
    turning,
    versions,
)

SCREENS: tuple[Callable[[site.Site], fastapi.APIRouter], ...] = (
    house.routes,
    signing.routes,
    shared.routes,
    links.routes,
    quote.routes,
    production.routes,
    turning.routes,
    settings.routes,
    ops.routes,
    takes.routes,
    compare.routes,
    film.routes,
    versions.routes,
    downloads.routes,
    projects.routes,
    beginnings.routes,
    importing.routes,
    history.routes,
    steps.routes,
    shots.routes,
    editor.routes,
    editor_acts.routes,
    editor_things.routes,
)
"""One for each screen."""


def build(of: site.Site) -> types.ASGIApp:
    """The application."""
    app = fastapi.FastAPI(
        title="Rushes studio", docs_url=None, redoc_url=None, openapi_url=None, telemetry={"tracing": False}
    )
    app.mount("/static", of.files)
    faults.attach(app, of)
    app.include_router(files.routes(of.services.store, of.services.clock))
    for screen in SCREENS:
        app.include_router(screen(of))
    return people.Known(bounds.Bounded(app), of.services)
