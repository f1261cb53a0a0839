import pytest

from rushes.type.v1 import money_pb2
from services.cli import wire


@pytest.mark.parametrize(
    ("field", "loc"),
    [
        ("storyboard.name", ("name",)),
        ("storyboard.scenes[2].cast[0]", ("scenes", 2, "cast", 0)),
        ("items[3].spec.duration", ("scenes", 3, "duration")),
        ("storyboard.size.width", ("size", "width")),
    ],
)
def test_a_field_of_a_request_is_a_place_in_the_board(field: str, loc: tuple[str | int, ...]) -> None:
    assert wire.place(field) == loc


@pytest.mark.parametrize(
    ("currency", "micros", "told"),
    [
        ("USD", 2_500_000, "$2.50"),
        ("EUR", 990_000, "0.99 EUR"),
        ("XTS", 2_400_000, "2.40 in play money"),
        ("USD", 1, "$0.000001"),
    ],
)
def test_money_for_a_person(currency: str, micros: int, told: str) -> None:
    assert wire.amount(money_pb2.Money(currency=currency, micros=micros)) == told
