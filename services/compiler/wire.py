"""Films between protobuf and the domain; checks requests, does no I/O."""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from fractions import Fraction

from google.protobuf import duration_pb2, timestamp_pb2

from libs import errors, ids, moments
from rushes.compiler.v1 import compiler_service_pb2, events_pb2, film_pb2
from rushes.type.v1 import edit_list_pb2, fault_pb2, media_pb2
from services.compiler import domain, edit, edit_rules, manifest, orders, timeline

SIGNED_S = 3600
"""How long a signed address works, in seconds."""

_LOUDNESS = -14.0
_BLACK, _WHITE = "#000000", "#ffffff"

Sign = Callable[[str, str], str]
"""A stored file's key and the name to save it under → its signed address."""


class BadRequest(errors.Invalid):
    """The request cannot be accepted as it is; correct these fields."""


def check_create_film(request: compiler_service_pb2.CreateFilmRequest, tenant_id: str) -> None:
    """Raises BadRequest with every violation."""
    found = []
    try:
        uuid.UUID(request.request_id)
    except ValueError:
        found.append(errors.Violation("request_id", "should be a UUID that you choose once for this film"))
    if request.storyboard_id and not ids.valid(request.storyboard_id, "sb"):
        found.append(errors.Violation("storyboard_id", "should be the id of a storyboard, sb_…, or empty"))
    found += edit_rules.violations(request.edit_list, tenant_id)
    if found:
        raise BadRequest(found)


def new_film(
    edit_list: edit_list_pb2.EditList,
    tenant_id: str,
    production_id: str,
    film_id: str,
    now: datetime,
    traceparent: str = "",
    storyboard_id: str = "",
) -> domain.Film:
    """A film that waits for a worker for the trace that asks for it."""
    return domain.Film(
        id=film_id,
        tenant_id=tenant_id,
        production_id=production_id,
        edit_list=edit_list.SerializeToString(deterministic=True),
        created_at=now,
        updated_at=now,
        next_action_at=now,
        traceparent=traceparent,
        storyboard_id=storyboard_id,
    )


def edit_list(value: domain.Film) -> edit_list_pb2.EditList:
    """What a film is to be cut from."""
    return edit_list_pb2.EditList.FromString(value.edit_list)


def edit_of(value: edit_list_pb2.EditList) -> edit.Edit:
    """An edit list that has no violations, as the plan reads it."""
    return edit.Edit(
        title=value.title,
        entries=tuple(_entry(cut, value.profile) for cut in value.cuts),
        wish=_wish(value.profile),
        ending=_join(value.ending),
        music=_music(value.music) if value.HasField("music") else None,
        narrations=tuple(edit.Narration(v.clip.key, v.first_frame, v.gain_db) for v in value.narrations),
        loudness=value.loudness_lufs if value.HasField("loudness_lufs") else _LOUDNESS,
        burnt=value.captions.burnt,
        language=value.captions.language,
        generated=any(cut.HasField("provenance") for cut in value.cuts),
    )


def _entry(cut: edit_list_pb2.Cut, profile: edit_list_pb2.OutputProfile) -> edit.Entry:
    fit = cut.fit or profile.fit or edit_list_pb2.FIT_PAD
    return edit.Entry(
        scene=edit.Scene(cut.scene_id, cut.take_id, cut.title),
        source=_card(cut.card) if cut.HasField("card") else cut.clip.key,
        trim=edit.Trim(cut.trim.first_frame, cut.trim.frames or None),
        join=_join(cut.join),
        gain_db=cut.gain_db,
        fit=edit.Fit(edit_list_pb2.Fit.Name(fit).removeprefix("FIT_")),
        captions=tuple(edit.Caption(_lines(c.text), c.first_frame, c.frames or None) for c in cut.captions),
    )


def makers(value: edit_list_pb2.EditList) -> list[manifest.Maker | None]:
    """What each cut was made by, where that is known."""
    return [_maker(cut.provenance) if cut.HasField("provenance") else None for cut in value.cuts]


def _maker(value: edit_list_pb2.Provenance) -> manifest.Maker:
    at = value.create_time.ToJsonString() if value.HasField("create_time") else ""
    return manifest.Maker(value.provider, value.model, value.prompt_sha256, at)


def _join(value: edit_list_pb2.Join) -> edit.Join | None:
    if not value.kind:
        return None
    return edit.Join(edit.JoinKind(edit_list_pb2.Join.Kind.Name(value.kind).removeprefix("KIND_")), value.frames)


def _card(value: edit_list_pb2.Card) -> edit.Card:
    colours = (value.background.lower() or _BLACK, value.ink.lower() or _WHITE)
    return edit.Card(_lines(value.text), _lines(value.subtext), value.frames, *colours)


def _lines(text: str) -> str:
    """The same lines whatever they were ended with."""
    return "\n".join(text.splitlines())


def _music(value: edit_list_pb2.Music) -> edit.Music:
    return edit.Music(value.clip.key, value.gain_db, value.fade_in_frames, value.fade_out_frames, value.duck_db)


def _wish(profile: edit_list_pb2.OutputProfile) -> edit.Wish:
    size = (profile.size.width, profile.size.height) if profile.HasField("size") else None
    rate = profile.frame_rate
    fps = Fraction(rate.numerator, rate.denominator) if profile.HasField("frame_rate") else None
    return edit.Wish(size, fps)


def film_progressed(value: domain.Film, progress: float, now: datetime) -> events_pb2.FilmProgressed:
    """How much of it is done."""
    return events_pb2.FilmProgressed(
        tenant_id=value.tenant_id,
        film_id=value.id,
        production_id=value.production_id,
        progress=progress,
        event_time=moments.stamp(now),
    )


def news(value: domain.Film) -> events_pb2.FilmCompleted | events_pb2.FilmFailed | None:
    """What to tell of a film that has ended; nothing of another."""
    if value.result:
        return events_pb2.FilmCompleted(
            tenant_id=value.tenant_id,
            film_id=value.id,
            production_id=value.production_id,
            duration=_until(value.result, value.result.frames),
            frames=value.result.frames,
            event_time=moments.stamp(value.ended_at),
        )
    if value.state not in domain.ENDS:
        return None
    fault = value.fault or domain.Fault("FILM_CANCELED", "The film was cancelled; ask for a new one.")
    return events_pb2.FilmFailed(
        tenant_id=value.tenant_id,
        film_id=value.id,
        production_id=value.production_id,
        reason=fault.reason,
        message=fault.message,
        event_time=moments.stamp(value.ended_at),
    )


def to_film(value: domain.Film, sign: Sign | None, now: datetime) -> film_pb2.Film:
    """A film as callers see it; with addresses of its files when there is somebody to sign them."""
    wanted = edit_list(value)
    message = film_pb2.Film(
        id=value.id,
        production_id=value.production_id,
        edit_list=wanted,
        state=film_pb2.Film.State.Value(f"STATE_{value.state}"),
        progress=value.progress,
        error=fault(value.fault),
        create_time=moments.stamp(value.created_at),
        update_time=moments.stamp(value.updated_at),
        end_time=moments.stamp(value.ended_at),
        storyboard_id=value.storyboard_id,
        cut_number=value.cut_number,
        version=value.version,
    )
    if value.seconds_left is not None:
        message.time_left.FromMilliseconds(round(value.seconds_left * 1000))
    if value.work:
        message.copied_frames, message.encoded_frames = value.work.copied, value.work.encoded
        message.reused_frames = value.work.reused
    if value.result:
        _add_result(message, value.result)
        if sign:
            _add_files(message, value.result, file_title(value, wanted.title), sign, now)
    return message


def _add_result(message: film_pb2.Film, result: domain.Result) -> None:
    message.duration.CopyFrom(_until(result, result.frames))
    message.frames, message.copied_cuts, message.conformed_cuts = result.frames, result.copied, result.conformed
    message.profile.size.width, message.profile.size.height = result.width, result.height
    message.profile.frame_rate.numerator = result.fps_numerator
    message.profile.frame_rate.denominator = result.fps_denominator
    for one in result.notices:
        kind = film_pb2.Notice.Kind.Value(f"KIND_{one.kind}")
        message.notices.add(kind=kind, start=_until(result, one.start), end=_until(result, one.end))
    for cut in result.chapters:
        chapter = message.chapters.add(title=cut.title, scene_id=cut.scene_id, take_id=cut.take_id)
        chapter.start.CopyFrom(_until(result, cut.start))
        chapter.end.CopyFrom(_until(result, cut.end))


def _add_files(message: film_pb2.Film, result: domain.Result, title: str, sign: Sign, now: datetime) -> None:
    expires = moments.stamp(now + timedelta(seconds=SIGNED_S))
    for output in orders.OUTPUTS:
        if kept := getattr(result, output.field):
            getattr(message, output.field).CopyFrom(media(kept, orders.file_name(title, output.suffix), sign, expires))


def file_title(value: domain.Film, title: str) -> str:
    """What its files and exports are saved as: `The Letter - cut 3 - 1080p`; lines are those of the shorter side."""
    if not value.result or not value.cut_number:
        return title
    return f"{title} - cut {value.cut_number} - {min(value.result.width, value.result.height)}p"


def media(value: domain.Media, file_name: str, sign: Sign, expires: timestamp_pb2.Timestamp | None) -> media_pb2.Media:
    """A file under the name that people save it as."""
    return media_pb2.Media(
        url=sign(value.key, file_name),
        expire_time=expires,
        file_name=file_name,
        content_type=value.content_type,
        size_bytes=value.size_bytes,
        sha256=value.sha256,
    )


def fault(value: domain.Fault | None) -> fault_pb2.Fault | None:
    """What went wrong, when something did."""
    return fault_pb2.Fault(reason=value.reason, message=value.message, metadata=value.metadata) if value else None


def _until(result: domain.Result, frame: int) -> duration_pb2.Duration:
    """How long the film is until this frame."""
    duration = duration_pb2.Duration()
    duration.FromNanoseconds(timeline.nearest(Fraction(frame * result.fps_denominator * 10**9, result.fps_numerator)))
    return duration
