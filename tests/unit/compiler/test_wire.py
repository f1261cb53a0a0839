import dataclasses
from datetime import UTC, datetime
from fractions import Fraction

import pytest

from rushes.compiler.v1 import compiler_service_pb2, events_pb2, film_pb2
from rushes.type.v1 import edit_list_pb2, media_pb2
from services.compiler import domain, film, wire
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


def fields_at_fault(message: edit_list_pb2.EditList) -> list[str]:
    return [violation.field for violation in wire.violations(message, "acme")]


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


def test_a_list_without_cuts_or_with_too_many_is_refused() -> None:
    assert fields_at_fault(edit_list(0)) == ["edit_list.cuts"]
    assert fields_at_fault(edit_list(1001)) == ["edit_list.cuts"]


@pytest.mark.parametrize("key", ["", "t/other/clips/1.mp4", "t/acmeother/1.mp4", "clips/1.mp4"])
def test_clips_of_others_are_refused(key: str) -> None:
    stolen = edit_list(1)
    stolen.cuts[0].clip.key = key
    assert fields_at_fault(stolen) == ["edit_list.cuts[0].clip.key"]


@pytest.mark.parametrize(("numerator", "denominator"), [(24, 1), (24000, 1001), (120, 1)])
def test_rates_that_are_taken(numerator: int, denominator: int) -> None:
    wanted = edit_list()
    wanted.profile.frame_rate.numerator, wanted.profile.frame_rate.denominator = numerator, denominator
    assert fields_at_fault(wanted) == []
    assert wire.wish(wanted) == film.Wish(None, Fraction(numerator, denominator))


def test_the_size_asked_for_is_wished_for() -> None:
    wanted = edit_list()
    wanted.profile.size.width, wanted.profile.size.height = 1920, 1080
    assert wire.wish(wanted) == film.Wish((1920, 1080), None)
    assert wire.wish(edit_list()) == film.Wish()


def test_a_new_film_keeps_its_list() -> None:
    made = wire.new_film(edit_list(), "acme", "prod_1", "film_1", NOW)
    assert wire.edit_list(made) == edit_list()
    assert (made.state, made.next_action_at, made.production_id) == (domain.State.QUEUED, NOW, "prod_1")
    assert wire.scene(edit_list().cuts[1]) == film.Scene("sc_1", "take_1", "Scene 1")


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
