from datetime import UTC, datetime, timedelta, timezone

import pytest

from libs import moments


def test_a_moment_is_told_in_utc() -> None:
    there = datetime(2026, 11, 21, 14, tzinfo=timezone(timedelta(hours=2)))
    stamp = moments.stamp(there)
    assert stamp is not None
    assert stamp.ToDatetime(UTC) == datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert moments.stamp(None) is None


@pytest.mark.parametrize("year", [1, 1969, 1970, 2026, 9999])
def test_it_is_told_to_the_microsecond(year: int) -> None:
    last = datetime(year, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert moments.stamp(last).ToDatetime(UTC) == last
