"""What is quoted is the most that can be charged, to the last millionth."""

import itertools
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rushes.provider_gateway.v1 import model_pb2, quote_pb2
from rushes.type.v1 import clip_pb2, media_pb2
from services.provider_gateway import catalogue, limits, models, prices
from tests.unit.provider_gateway.offers import OFFER, OMNI, REEL, TODAY, asked, possible

SIZES = ["1280x720", "720x1280", "1920x1080", "3840x2160"]


def priced(*lines: dict[str, Any], **changes: Any) -> prices.Priced:
    plain = {
        "durations": {"min": 1, "max": 30}, "sizes": SIZES, "audio": True, "silent": True, "first_frame": True,
        "last_frame": True, "references": 5, "seed": True, "negative_prompt": True, "currency": "USD", "prices": lines,
    }  # fmt: skip
    return prices.Priced.model_validate(plain | changes)


def micros(model: prices.Priced, one: limits.Asked) -> int:
    return prices.most_micros(model, one)[0]


def test_units_add_up() -> None:
    model = priced(
        {"per": "second", "costs": "0.1"},
        {"per": "clip", "costs": "0.02"},
        {"per": "image", "costs": "0.003"},
        {"per": "byte", "costs": "0.0000015"},
    )
    one = asked(seconds=7, prompt="Größe", first_frame=True, references=2)
    assert prices.most_micros(model, one) == (700_000 + 20_000 + 3 * 3_000 + math.ceil(7 * 1.5), "USD")


def test_tokens_count_the_frame_that_a_clip_has_more() -> None:
    """An invoice for 4 s at 720p was over 87,300 tokens: 97 frames (crazyrouter.com, 2026-06-18)."""
    model = priced({"per": "token", "costs": "1"})
    assert micros(model, asked(seconds=4)) == 87_300 * 1_000_000
    assert micros(model, asked("720x1280", seconds=4)) == 87_300 * 1_000_000
    larger = priced({"per": "token", "costs": "0.000007", "pixels": 927_408})
    assert micros(larger, asked(seconds=4)) == math.ceil(927_408 * 97 / 1024) * 7


def test_a_part_of_a_millionth_is_rounded_up() -> None:
    assert micros(priced({"per": "byte", "costs": "0.0000001"}), asked(prompt="a")) == 1
    assert micros(priced({"per": "second", "costs": "0"}), asked()) == 0
    thirds = priced({"per": "second", "costs": "0.0000003"}, {"per": "clip", "costs": "0.0000004"})
    assert micros(thirds, asked(seconds=2)) == 1


def test_of_one_unit_the_dearest_line_counts() -> None:
    model = priced(
        {"per": "second", "costs": "0.2", "when": {"audio": False}},
        {"per": "second", "costs": "0.4"},
        {"per": "second", "costs": "0.6", "when": {"resolution": "4k", "audio": True}},
    )
    assert micros(model, asked(seconds=1, audio=False)) == 400_000
    assert micros(model, asked("3840x2160", seconds=1)) == 600_000
    with pytest.raises(KeyError):
        prices.most_micros(model, asked("1x1"))


conditions = st.fixed_dictionaries(
    {},
    optional={
        "resolution": st.lists(st.sampled_from(["720p", "1080p", "4k"]), min_size=1, max_size=2, unique=True),
        "seconds": st.lists(st.integers(1, 30), min_size=1, max_size=3, unique=True),
        "audio": st.booleans(),
        "images": st.booleans(),
        "last_frame": st.booleans(),
    },
)
lines = st.fixed_dictionaries(
    {
        "per": st.sampled_from(["second", "clip", "image", "token", "byte"]),
        "costs": st.decimals(0, 9, places=9).map(lambda given: f"{given:f}"),
        "when": conditions,
        "pixels": st.sampled_from([0, 500_000, 2_000_000]),
    }
)
orders = st.builds(
    asked,
    st.sampled_from(SIZES),
    seconds=st.integers(1, 30),
    audio=st.booleans(),
    first_frame=st.booleans(),
    last_frame=st.booleans(),
    references=st.integers(0, 5),
    prompt=st.text(max_size=20),
)


def charged(line: dict[str, Any], one: limits.Asked) -> Decimal | None:
    """What one line of a price list comes to, counted as a bill is; None where it does not hold."""
    when, size = line["when"], one.size
    resolution = {720: "720p", 1080: "1080p", 2160: "4k"}[min(size)]
    facts = {"audio": one.audio, "images": one.images > 0, "last_frame": one.last_frame}
    if resolution not in when.get("resolution", [resolution]) or one.seconds not in when.get("seconds", [one.seconds]):
        return None
    if any(when.get(name, fact) != fact for name, fact in facts.items()):
        return None
    frames = 24 * one.seconds + 1
    return Decimal(line["costs"]) * {
        "second": one.seconds, "clip": 1, "image": one.images, "byte": len(one.prompt.encode()),
        "token": -(-max(size.width * size.height, line["pixels"]) * frames // 1024),
    }[line["per"]]  # fmt: skip


@given(st.lists(lines, min_size=1, max_size=6), orders)
def test_no_bill_that_a_price_list_allows_is_above_the_most(given: list[dict[str, Any]], one: limits.Asked) -> None:
    most = micros(priced(*given), one)
    by_unit = [
        [bill for line in given if line["per"] == unit and (bill := charged(line, one)) is not None] or [Decimal(0)]
        for unit in ("second", "clip", "image", "token", "byte")
    ]
    bills = [sum(chosen) * 1_000_000 for chosen in itertools.product(*by_unit)]
    assert max(bills) <= most < max(bills) + 1
    assert isinstance(most, int)


@given(st.lists(lines, min_size=1, max_size=4), orders, st.booleans(), st.booleans())
def test_no_frame_that_a_seam_adds_makes_it_dearer_than_was_quoted(
    given: list[dict[str, Any]], one: limits.Asked, takes_first: bool, takes_last: bool
) -> None:
    model = priced(*given, first_frame=takes_first, last_frame=takes_last)
    quoted = max(micros(model, other) for other in limits.with_seams(model, one))
    assert quoted >= micros(model, one)
    if takes_first and takes_last:
        full = asked(
            str(one.size), seconds=one.seconds, audio=one.audio, first_frame=True, last_frame=True,
            references=one.references, prompt=one.prompt,
        )  # fmt: skip
        assert quoted >= micros(model, full)


@pytest.mark.parametrize("model", OFFER.models, ids=lambda model: model.id)
def test_every_model_can_be_quoted_for_everything_it_makes(model: catalogue.Model) -> None:
    free = model.play_money or all(not price.costs for price in model.prices)
    for one in possible(model):
        assert limits.violations(model, one) == []
        most, currency = prices.most_micros(model, one)
        assert most > 0 or free
        assert currency == model.currency


@pytest.mark.parametrize(
    ("model", "order", "bill"),
    [  # what sellers and others say of one clip, in US dollars
        ("openrouter/seedance-2.0", {"seconds": 4}, "0.6111"),  # 87,300 tokens at 7 USD a million
        ("fal/seedance-2.0", {"seconds": 5}, "1.517"),  # "0.3034 per second of 720p"
        ("fal/seedance-2.0", {"seconds": 5, "size": "864x496"}, "0.673"),  # LiteLLM: 0.1346
        ("fal/seedance-2.0", {"seconds": 5, "size": "1920x1080"}, "3.41"),  # 0.682
        ("fal/seedance-2.0", {"seconds": 5, "size": "3840x2160"}, "7.776"),  # 1.5552
        ("fal/seedance-2.0-fast", {"seconds": 10}, "2.419"),  # 0.2419
        ("fal/seedance-1.5-pro", {"seconds": 5}, "0.26"),
        ("fal/kling-v3.0-std", {"seconds": 5, "audio": True}, "0.63"),
        ("fal/veo-3.1", {"seconds": 8, "audio": True}, "3.20"),
        ("fal/veo-3.1-fast", {"seconds": 8, "size": "3840x2160", "audio": False}, "2.40"),
        ("runware/veo-3.1-fast", {"seconds": 8, "size": "3840x2160", "audio": True}, "2.80"),
        ("runware/hailuo-2.3", {"seconds": 10, "size": "1366x768", "audio": False}, "0.56"),
        ("runware/wan-2.6", {"seconds": 15, "size": "1920x1080"}, "2.25"),
        ("google/gemini-omni-1.1-flash", {"seconds": 10}, "1.0136"),  # 57,920 tokens at 17.50 USD a million
        ("openrouter/grok-imagine-video-1.5", {"seconds": 10, "first_frame": True}, "1.41"),
        ("openai/sora-2-pro", {"seconds": 12, "size": "1792x1024"}, "6.00"),
    ],
)
def test_quotes_hold_the_bills_that_are_known(model: str, order: dict[str, Any], bill: str) -> None:
    one = OFFER.find(model)
    wanted = asked(**{"audio": one.audio} | order)
    assert limits.violations(one, wanted) == []
    most = micros(one, wanted)
    assert Decimal(bill) * 1_000_000 <= most <= Decimal(bill) * Decimal("1.08") * 1_000_000


def test_most_micros_of_the_shipped_models() -> None:
    assert prices.most_micros(REEL, asked(seconds=7)) == (700_000, "XTS")
    assert prices.most_micros(OMNI, asked("720x1280", seconds=10, prompt="a" * 2000)) == (703_000, "USD")
    assert prices.most_micros(OMNI, asked("3840x2160", seconds=10, prompt="aa", first_frame=True)) == (2_103_063, "USD")


def test_a_quote_holds_the_frames_that_seams_can_add() -> None:
    spec = clip_pb2.ClipSpec(prompt="A field.", size=media_pb2.FrameSize(width=1280, height=720), audio=True)
    spec.duration.seconds = 5
    wan = OFFER.find("openrouter/wan-2.6")
    item = models.priced(wan, quote_pb2.QuoteItem(scene_id="1", spec=spec))
    assert item.most_you_can_pay.micros == 500_000  # 0.08 for text alone, 0.10 with a picture
    assert item.most_you_can_pay.currency == "USD"


def test_price_lists_are_told_with_their_cases() -> None:
    told = models.message(
        OFFER.find("openrouter/wan-2.6"), OFFER.state(OFFER.find("openrouter/wan-2.6"), {"openrouter"}, TODAY)
    )
    wide, tall = (media_pb2.FrameSize(width=w, height=h) for w, h in ((1280, 720), (720, 1280)))
    assert [(one.size, one.per_second.micros, one.case.images) for one in told.prices[:4]] == [
        (wide, 80_000, False), (tall, 80_000, False), (wide, 100_000, True), (tall, 100_000, True),
    ]  # fmt: skip
    assert all(one.unit == model_pb2.Price.UNIT_SECOND and one.units == 1 for one in told.prices)
    assert all(one.amount == one.per_second and one.case.HasField("images") for one in told.prices)


def test_amounts_of_less_than_a_millionth_are_told_by_the_million() -> None:
    told = models.message(
        OFFER.find("openrouter/seedance-2.0-fast"),
        OFFER.state(OFFER.find("openrouter/seedance-2.0-fast"), {"openrouter"}, TODAY),
    )
    (one, *_) = told.prices
    assert (one.unit, one.units, one.amount.micros) == (model_pb2.Price.UNIT_TOKEN, 1_000_000, 4_200_000)
    assert not one.HasField("per_second")
    assert not one.HasField("case")
    assert {Fraction(price.amount.micros, 10**12) for price in told.prices} == {Fraction("0.0000042")}
