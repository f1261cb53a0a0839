"""Wires the storyboard service: settings, database, doors; then runs them together."""

import asyncio
from datetime import UTC, datetime, timedelta

from libs import blobs, db, entrance, operating, run, telemetry
from libs import settings as settings_reader
from services.storyboard import api, guests, settings, ticks, writer
from services.storyboard.api import people, sessions, tokens

_FORGET_EVERY_S = 3600.0


def clock() -> datetime:
    """The time now."""
    return datetime.now(UTC)


def _author(told: settings.Settings) -> writer.Writer:
    """The language model; its SDK is large, and stays on the disk where there is no key."""
    if told.writer_key is None:
        return writer.Nobody()
    from services.storyboard import chat

    return chat.Model(told.writer_key.get_secret_value(), told.writer_base_url, told.writer_model)


async def main() -> None:
    """Run until SIGTERM. No bus: nobody listens to storyboards yet, and they listen to nobody."""
    told = settings_reader.load(settings.Settings)
    telemetry.setup("storyboard", told.log_level, told.otlp_endpoint, told.revision)
    settings_reader.announce(told)
    database = db.Database(told.database_url)
    media = blobs.open_store(told.blobs_url) if told.blobs_url else None
    visitors, author = guests.Reception(told.guests_secret), _author(told)
    answers = api.servicer(api.StoryboardApi(database, told.default_model, clock, media, visitors, author))
    keeper, roll = tokens.TokenApi(database, clock), people.PeopleApi(database, clock)
    porter = sessions.SessionApi(database, clock, visitors, timedelta(seconds=told.session_s))
    served = [answers, keeper.servicer(), porter.servicer(), roll.servicer()]
    means = operating.Means("storyboard", database, told)
    front = entrance.of(told, means, served, lambda them: porter.knowing(keeper.knowing(visitors.knowing(them, clock))))
    metrics = telemetry.serve_metrics(told.metrics_listen)
    try:
        await run.together(
            {
                **front.parts,
                "forget": run.every("forget", _FORGET_EVERY_S, ticks.forget(database, clock)),
                "file": run.every("file", _FORGET_EVERY_S, ticks.file(database)),
                "loop": telemetry.watch_loop,
            }
        )
    finally:
        metrics.close()
        await author.close()
        await database.close()


if __name__ == "__main__":
    asyncio.run(main())
