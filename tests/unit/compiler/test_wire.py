import dataclasses
from datetime import UTC, datetime

import pytest

from rushes.compiler.v1 import compiler_service_pb2, events_pb2, film_pb2
from rushes.type.v1 import edit_list_pb2, media_pb2
from services.compiler import domain, edit, wire
from tests.unit.compiler.test_domain import LATER, NOW, RESULT, RUNNING

UUID = "7b7a3a52-5a0e-4c57-9d0a-0d1d1c3d6c11"


def clip(number: int) -> media_pb2.Blob:
    return media_pb2.Blob(key=f"t/acme/clips/{number}.mp4")


def edit_list(count: int = 2, **fields: object) -> edit_list_pb2.EditList:
    cuts = [
        edit_list_pb2.Cut(
            scene_id=f"sc_{n}",
            take_id=f"take_{n}",
            title=f"Scene {n}",
            clip=clip(n),
        )
        for n in range(count)
    ]
    return edit_list_pb2.EditList(**{"title": "The Film", "cuts": cuts, **fields})


def test_a_good_request_passes() -> None:
    request = compiler_service_pb2.CreateFilmRequest(request_id=UUID, edit_list=edit_list())
    wire.check_create_film(request, "acme")


def test_every_fault_is_told_at_once() -> None:
    broken = edit_list(title="")
    broken.cuts[1].scene_id = broken.cuts[1].take_id = ""
    broken.cuts[1].title = "x" * 201
    broken.profile.size.width, broken.profile.size.height = 127, 7682
    broken.profile.frame_rate.numerator, broken.profile.frame_rate.denominator = 24, 0
    with pytest.raises(wire.BadRequest) as caught:
        wire.check_create_film(compiler_service_pb2.CreateFilmRequest(edit_list=broken), "acme")
    assert [violation.field for violation in caught.value.violations] == [
        "request_id",
        "edit_list.title",
        "edit_list.cuts[1].scene_id",
        "edit_list.cuts[1].take_id",
        "edit_list.cuts[1].title",
        "edit_list.profile.size.width",
        "edit_list.profile.size.height",
        "edit_list.profile.frame_rate",
    ]


def test_a_new_film_keeps_its_list() -> None:
    made = wire.new_film(edit_list(), "acme", "prod_1", "film_1", NOW)
    assert wire.edit_list(made) == edit_list()
    assert (made.state, made.next_action_at, made.production_id) == (domain.State.QUEUED, NOW, "prod_1")


def test_an_edit_list_is_understood_whole() -> None:
    wanted = edit_list(
        ending=edit_list_pb2.Join(kind=edit_list_pb2.Join.KIND_DIP_TO_BLACK, frames=24),
        music=edit_list_pb2.Music(clip=clip(7), gain_db=-6, fade_in_frames=1, fade_out_frames=2, duck_db=12),
        narrations=[edit_list_pb2.Narration(clip=clip(8), first_frame=48, gain_db=3)],
        loudness_lufs=-23,
        captions=edit_list_pb2.CaptionTrack(language="de", burnt=True),
    )
    wanted.cuts[1].join.kind, wanted.cuts[1].join.frames = edit_list_pb2.Join.KIND_WIPE_LEFT, 12
    wanted.cuts[1].trim.first_frame = 3
    wanted.cuts[1].captions.add(text="Who is there?", first_frame=2)
    assert wire.edit_of(wanted) == edit.Edit(
        title="The Film",
        entries=(
            edit.Entry(edit.Scene("sc_0", "take_0", "Scene 0"), clip(0).key),
            edit.Entry(
                edit.Scene("sc_1", "take_1", "Scene 1"),
                clip(1).key,
                trim=edit.Trim(3),
                join=edit.Join(edit.JoinKind.WIPE_LEFT, 12),
                captions=(edit.Caption("Who is there?", 2),),
            ),
        ),
        ending=edit.Join(edit.JoinKind.DIP_TO_BLACK, 24),
        music=edit.Music(clip(7).key, -6, 1, 2, 12),
        narrations=(edit.Narration(clip(8).key, 48, 3),),
        loudness=-23,
        burnt=True,
        language="de",
    )


def signed(value: domain.Film) -> film_pb2.Film:
    value = dataclasses.replace(value, edit_list=edit_list(title='A/B: "Noir"?').SerializeToString())
    return wire.to_film(value, lambda key, name: f"https://media/{key}?as={name}", NOW)


def test_a_completed_film_has_addresses_names_and_an_exact_length() -> None:
    result = dataclasses.replace(RESULT, frames=1001, fps_numerator=24000, fps_denominator=1001)
    message = signed(domain.completed(RUNNING, result, LATER))
    assert message.state == film_pb2.Film.STATE_COMPLETED
    assert message.video.url == "https://media/t/acme/films/film_1/1/film.mp4?as=A B Noir.mp4"
    assert message.contact_sheet.file_name == "A B Noir contact sheet.jpg"
    assert message.video.expire_time.ToDatetime(UTC) == datetime(2026, 11, 20, 13, tzinfo=UTC)
    assert (message.duration.seconds, message.duration.nanos) == (41, 750_041_667)
    assert (message.profile.frame_rate.numerator, message.profile.size.height) == (24000, 720)
    assert message.end_time.ToDatetime(UTC) == LATER


def test_without_anybody_to_sign_there_are_no_addresses() -> None:
    message = wire.to_film(domain.completed(RUNNING, RESULT, LATER), None, NOW)
    assert not message.HasField("video")
    assert message.frames == 48


def test_a_failed_film_carries_its_fault() -> None:
    fault = domain.Fault("CLIP_MISSING", "It is gone.", {"scene_id": "sc_1"})
    message = signed(domain.failed(RUNNING, fault, LATER))
    assert (message.error.reason, message.error.metadata["scene_id"]) == ("CLIP_MISSING", "sc_1")
    assert not message.HasField("video")


def test_the_news_of_a_film() -> None:
    done = wire.news(domain.completed(RUNNING, RESULT, LATER))
    assert isinstance(done, events_pb2.FilmCompleted)
    assert (done.frames, done.duration.seconds, done.production_id) == (48, 2, "prod_1")
    failed = wire.news(domain.failed(RUNNING, domain.Fault("CLIP_MISSING", "It is gone."), LATER))
    assert isinstance(failed, events_pb2.FilmFailed)
    assert (failed.reason, failed.message) == ("CLIP_MISSING", "It is gone.")
    canceled = wire.news(domain.canceled(RUNNING, LATER))
    assert isinstance(canceled, events_pb2.FilmFailed)
    assert canceled.reason == "FILM_CANCELED"
    assert wire.news(RUNNING) is None
    assert wire.film_progressed(RUNNING, 0.25, NOW).progress == 0.25
