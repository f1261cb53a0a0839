"""The verb `rushes cut`: an edit file becomes a film on this disk, and a film or a production an edit file."""

import asyncio
import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path

import rich.console

from rushes.compiler.v1 import compiler_service_pb2 as pb
from rushes.compiler.v1 import film_pb2
from rushes.job.v1 import job_pb2, job_service_pb2
from rushes.type.v1 import edit_list_pb2, media_pb2
from services.cli import client, delivery, edit_file, edit_list, exits, gateway, reels, runs, visit

_PIECE_BYTES = 1_000_000
_UPLOAD_S = 300.0
_TAKES_AT_ONCE = 8


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What the person asked for."""

    edit: edit_file.EditFile
    output: Path
    home: Path
    keep: bool
    as_json: bool


class Pieces:
    """The upload of a sound: its facts, then its bytes; each time anew, so that the call can be repeated."""

    def __init__(self, path: Path, facts: pb.UploadSoundRequest.Facts) -> None:
        self._path, self._facts = path, facts

    def __iter__(self) -> Iterator[pb.UploadSoundRequest]:
        """Each piece in turn."""
        yield pb.UploadSoundRequest(facts=self._facts)
        with self._path.open("rb") as file:
            while data := file.read(_PIECE_BYTES):
                yield pb.UploadSoundRequest(data=data)


async def make(wanted: Wanted, out: rich.console.Console, err: rich.console.Console) -> None:
    """Cut the film. Raises Ended, or Faulty when the file is found faulty by a service."""

    def say(note: str) -> None:
        err.print(note, markup=False)

    async with visit.visiting(wanted.home, say, wanted.keep) as of, client.connect(of) as services:
        asked = await _asked(services, wanted.edit)
        with runs.claim(wanted.home, b"cut " + asked.edit_list.SerializeToString(deterministic=True)) as run:
            asked.request_id = run.request_id("film")
            film_id = await _begun(services, run, wanted.edit, asked)
            say(f"Film {film_id}")
            film = await reels.followed(services, film_id, err)
            if film.state == film_pb2.Film.STATE_COMPLETED:
                await delivery.bring(services, film_id, wanted.output, wanted.as_json, out, say)
            run.finish()  # only now: a film that could not be fetched is fetched by the next run, not cut again
            reels.judge(film)


def text(home: Path, of: str) -> str:
    """A film, or the film or the takes of a production, as an edit file. Raises Ended."""
    house = gateway.running(home)

    async def find() -> edit_list_pb2.EditList:
        async with client.connect(house) as services:
            return await _listed(services, of)

    return f"# `rushes cut FILE` makes the film of it; written from {of}.\n{edit_list.text(asyncio.run(find()))}"


async def _listed(services: client.Client, of: str) -> edit_list_pb2.EditList:
    if of.startswith("film_"):
        found: edit_list_pb2.EditList = (
            await services.call(services.films.GetFilm, pb.GetFilmRequest(film_id=of))
        ).film.edit_list
        return found
    asked = job_service_pb2.GetProductionRequest(production_id=of)
    production: job_pb2.Production = (await services.call(services.jobs.GetProduction, asked)).production
    return await _listed(services, production.film_id) if production.film_id else edit_list.of_scenes(production)


async def _begun(services: client.Client, run: runs.Run, edit: edit_file.EditFile, asked: pb.CreateFilmRequest) -> str:
    """The id of the film; a repeat of the run finds the one that was begun. Raises Refused or Faulty."""
    try:
        film_id: str = (await services.call(services.films.CreateFilm, asked)).film.id
    except client.Refused as refused:
        if refused.is_definite:
            run.finish()
        raise edit.refuse(refused.violations) if refused.violations else refused from None
    return film_id


async def _asked(services: client.Client, edit: edit_file.EditFile) -> pb.CreateFilmRequest:
    """The film of the file, its takes found and its sounds uploaded: a cut of the storyboard that all takes are of.

    Raises Refused or Faulty.
    """
    takes, storyboards = await _takes(services, edit)
    sounds = {}
    for sound in [*([edit.edit.music] if edit.edit.music else []), *edit.edit.narrations]:
        if sound.file and sound.file not in sounds:
            sounds[sound.file] = await _uploaded(services, edit.sound(sound))
    whose = storyboards.pop() if len(storyboards) == 1 else ""
    return pb.CreateFilmRequest(edit_list=edit_list.write(edit.edit, takes, sounds), storyboard_id=whose)


async def _takes(services: client.Client, edit: edit_file.EditFile) -> tuple[dict[str, edit_list_pb2.Cut], set[str]]:
    """A cut of each take that the file names alone, and the storyboards they are of.

    Raises Refused, and Faulty for all that are not there.
    """
    wanted = {cut.take: f"cuts[{number}].take" for number, cut in enumerate(edit.edit.cuts) if not cut.clip}
    found: dict[str, edit_list_pb2.Cut] = {}
    storyboards, missing, few = set(), [], asyncio.Semaphore(_TAKES_AT_ONCE)

    async def find(take_id: str, place: str) -> None:
        async with few:
            try:
                found[take_id], storyboard_id = await _cut_of(services, take_id)
                storyboards.add(storyboard_id)
            except client.Refused as refused:
                if refused.code is not exits.Code.NOT_FOUND:
                    raise
                missing.append((place, "is no take of yours; `rushes take list` names them"))

    await asyncio.gather(*(find(take_id, place) for take_id, place in wanted.items() if take_id))
    if missing:
        raise edit.refuse(missing)
    return found, storyboards


async def _cut_of(services: client.Client, take_id: str) -> tuple[edit_list_pb2.Cut, str]:
    asked = job_service_pb2.GetTakeRequest(take_id=take_id)
    take: job_pb2.Take = (await services.call(services.jobs.GetTake, asked)).take
    whose = job_service_pb2.GetJobRequest(job_id=take.job_id)
    job: job_pb2.Job = (await services.call(services.jobs.GetJob, whose)).job
    return edit_list.cut_of(take, job, hashlib.sha256(job.spec.prompt.encode()).hexdigest()), take.storyboard_id


async def _uploaded(services: client.Client, path: Path) -> media_pb2.Blob:
    """Where the sound is kept now; one that is kept already is not sent again. Raises Refused or Ended."""
    try:
        sha256, size = await asyncio.to_thread(_measured, path)
        kind = edit_file.SOUNDS[path.suffix.lower()]
        facts = pb.UploadSoundRequest.Facts(content_type=kind, size_bytes=size, sha256=sha256)
        answer = await services.call(services.films.UploadSound, Pieces(path, facts), _UPLOAD_S)
    except OSError as fault:
        raise exits.Ended(f"{path} cannot be read: {fault.strerror}.", exits.Code.USAGE) from None
    except client.Refused as refused:
        wrong = "; ".join(f"{field} {wrong}" for field, wrong in refused.violations)
        raise exits.Ended(f"{path}: {wrong or refused}", refused.code) from None
    sound: media_pb2.Blob = answer.sound
    return sound


def _measured(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), file.tell()
