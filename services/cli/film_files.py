"""Shows what belongs to a film, and brings it, or the film in another form, to this disk."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import rich.console

from rushes.compiler.v1 import compiler_service_pb2 as pb
from rushes.compiler.v1 import export_pb2, film_pb2
from rushes.type.v1 import media_pb2
from services.cli import client, download, exits, gateway, reels

_FIELDS = "video poster contact_sheet sprite sprite_vtt captions_vtt captions_srt manifest".split()
_LOOK_EVERY_S = 0.25
_PREFIX = "FORMAT_"


def show(home: Path, film_id: str, as_json: bool, out: rich.console.Console) -> None:
    """Print a film and its files."""
    answer = reels.ask(home, pb.GetFilmResponse, pb.GetFilmRequest(film_id=film_id))
    gateway.show(answer, lambda one: _lines(one.film), as_json, out)


def bring(home: Path, film_id: str, folder: Path, out: rich.console.Console) -> None:
    """Write all files of a film into the folder, under their own names; prints their paths. Raises Ended."""
    film = reels.ask(home, pb.GetFilmResponse, pb.GetFilmRequest(film_id=film_id)).film
    reels.judge(film)
    if film.state != film_pb2.Film.STATE_COMPLETED:
        raise exits.Ended(f"The film is not done yet; `rushes film watch {film_id}` follows it.", exits.Code.CONFLICT)
    folder.mkdir(parents=True, exist_ok=True)
    for media in _files(film):
        asyncio.run(_fetched(media, folder / _name(media), out))


def export(home: Path, film_id: str, kind: str, output: Path | None, out: rich.console.Console) -> None:
    """Have a film exported, wait for that, and write the file; prints its path. Raises Ended."""
    of, wanted = gateway.running(home), _format(kind)

    async def follow() -> None:
        async with client.connect(of) as services:
            made = await _exported(services, pb.ExportFilmRequest(film_id=film_id, format=wanted))
            if made.state == export_pb2.Export.STATE_FAILED:
                raise exits.Ended(f"The film could not be exported: {made.error.message}")
            await _fetched(made.media, output or Path(_name(made.media)), out)

    asyncio.run(follow())


def formats() -> list[str]:
    """What a film can be exported as."""
    return [name.removeprefix(_PREFIX).lower() for name, number in export_pb2.Export.Format.items() if number]


async def _exported(services: client.Client, request: pb.ExportFilmRequest) -> export_pb2.Export:
    while True:
        export: export_pb2.Export = (await services.call(services.films.ExportFilm, request)).export
        if export.HasField("end_time"):
            return export
        await asyncio.sleep(_LOOK_EVERY_S)


def _format(kind: str) -> export_pb2.Export.Format.ValueType:
    if kind.lower() not in formats():
        raise exits.Ended(f"{kind} is no format; write one of {', '.join(formats())}.", exits.Code.USAGE)
    return export_pb2.Export.Format.Value(f"{_PREFIX}{kind.upper()}")


async def _fetched(media: media_pb2.Media, path: Path, out: rich.console.Console) -> None:
    await download.fetch(media, path)
    out.print(str(path), markup=False)


def _files(film: film_pb2.Film) -> Iterator[media_pb2.Media]:
    """Every file that it has, the film itself first."""
    found: Iterator[media_pb2.Media] = (getattr(film, field) for field in _FIELDS)
    return (media for media in found if media.url)


def _name(media: media_pb2.Media) -> str:
    """The last part alone: a service does not choose our folders."""
    return Path(media.file_name).name


def _lines(film: film_pb2.Film) -> Iterator[str]:
    yield reels.line(film)
    for notice in film.notices:
        kind = film_pb2.Notice.Kind.Name(notice.kind).removeprefix("KIND_").lower()
        start, end = (f"{one.ToMilliseconds() / 1000:.1f} s" for one in (notice.start, notice.end))
        yield f"  {kind} from {start} to {end}"
    for media in _files(film):
        yield f"  {media.file_name}; {media.content_type}; {media.size_bytes} bytes"
