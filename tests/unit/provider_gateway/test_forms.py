from pathlib import Path
from typing import Any

import pytest

from services.provider_gateway.providers import forms
from tests.unit.provider_gateway import desk as desks

USUAL = {
    "prompt": "prompt",
    "seconds": "duration",
    "shape": "aspect_ratio",
    "side": "resolution",
    "first_frame": "image",
}
STILL = Path("/any.png")


def fill(form: dict[str, str], first: str | None = None, **changes: Any) -> dict[str, Any]:
    order = desks.order(form=form, first_frame=STILL if first else None, **changes)
    return forms.fill(order, USUAL, first)


def test_a_model_without_a_form_is_told_what_its_dialect_mostly_says() -> None:
    assert fill({}) == {"prompt": "A boat.", "duration": 3, "aspect_ratio": "16:9", "resolution": "360p"}


def test_a_form_renames_drops_adds_and_nests() -> None:
    form = {"seconds": "seconds", "side": "", "audio": "settings.sound.on", "width": "settings.width"}
    assert fill(form) == {
        "prompt": "A boat.",
        "seconds": 3,
        "aspect_ratio": "16:9",
        "settings": {"sound": {"on": True}, "width": 640},
    }


@pytest.mark.parametrize(("way", "said"), [("number", 3), ("text", "3"), ("text_s", "3s"), ("odd", 3)])
def test_seconds_are_written_as_the_model_wants_them(way: str, said: int | str) -> None:
    assert fill({"seconds_as": way})["duration"] == said


def test_sides_and_shapes_can_have_other_names() -> None:
    filled = fill({"2160p": "4k", "16:9": "landscape"}, width=3840, height=2160)
    assert (filled["resolution"], filled["aspect_ratio"]) == ("4k", "landscape")


def test_what_was_not_ordered_is_left_out() -> None:
    named = {"seed": "seed", "negative_prompt": "negative_prompt"}
    assert not {"seed", "negative_prompt", "image"} & set(fill(named))
    assert fill(named, seed=0, negative_prompt="rain")["seed"] == 0


def test_a_first_frame_can_choose_the_model_and_decide_the_shape() -> None:
    form = {"framed_model": "maker/framed", "framed_omits": "shape side"}
    assert fill(form, first="data:a") == {"prompt": "A boat.", "duration": 3, "image": "data:a"}
    assert "aspect_ratio" in fill(form)
    assert forms.model(desks.order(form=form, first_frame=STILL)) == "maker/framed"
    assert forms.model(desks.order(form=form)) == forms.model(desks.order(first_frame=STILL)) == "maker/reel"


def test_a_history_is_compared_but_for_its_pictures() -> None:
    plain, framed = desks.order(), desks.order(first_frame=STILL)
    ours = fill({})
    assert forms.same(plain, USUAL, ours | {"of the model": 1})
    assert not forms.same(framed, USUAL, ours)
    assert forms.same(framed, USUAL, ours | {"image": "data:image/png;base64,iVBO…"})
    assert not forms.same(plain, USUAL, ours | {"image": "https://any.example/a"})
    for other in (ours | {"duration": 4}, ours | {"duration": "3"}, {}, [], None, "odd"):
        assert not forms.same(plain, USUAL, other)


def test_a_picture_becomes_an_address(tmp_path: Path) -> None:
    still = tmp_path / "still"
    still.write_bytes(b"\x89PNG")
    assert forms.data_url(still) == "data:image/png;base64,iVBORw=="
    still.write_bytes(b"\xff\xd8")
    assert forms.data_url(still) == "data:image/jpeg;base64,/9g="
    assert forms.data_url(None) is None


@pytest.mark.parametrize(
    "form",
    [{}, {"seconds": "n", "seconds_as": "text_s", "framed_omits": "shape side"}, {"2160p": "4k", "427:240": "16:9"}],
)
def test_a_good_form_has_no_faults(form: dict[str, str]) -> None:
    assert list(forms.faults(form)) == []


@pytest.mark.parametrize(
    "form", [{"lenght": "n"}, {"seconds_as": "minutes"}, {"framed_omits": "shape sound"}, {"4k": "4k"}]
)
def test_a_fault_names_what_is_wrong(form: dict[str, str]) -> None:
    (fault,) = forms.faults(form)
    assert any(word in fault for word in (*form, "sound"))
