import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs import errors, paging

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)


@given(st.lists(SCALARS, max_size=4), st.text())
def test_a_token_gives_its_key_back(key: list[object], bound: str) -> None:
    token = paging.encode(key, bound)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", token)
    assert paging.decode(token, bound) == tuple(key)


@given(st.text() | st.binary().map(bytes.hex))
def test_any_other_text_is_a_violation_of_page_token(token: str) -> None:
    with pytest.raises(errors.Invalid) as refused:
        paging.decode(token, "filter")
    assert [violation.field for violation in refused.value.violations] == ["page_token"]


def test_a_token_belongs_to_one_request() -> None:
    token = paging.encode(["2026-11-20T00:00:00Z", "job_1"], b"state=RUNNING")
    with pytest.raises(errors.Invalid, match="page_token"):
        paging.decode(token, b"state=DONE")


@pytest.mark.parametrize("key", ['{"a":1}', "1", '"text"', "[" * 700])
def test_a_forged_key_is_refused(key: str) -> None:
    honest = paging.encode([], "filter")
    forged = base64.b64decode(honest + "=" * (-len(honest) % 4), altchars=b"-_")[:-2] + key.encode()
    with pytest.raises(errors.Invalid):
        paging.decode(base64.urlsafe_b64encode(forged).decode(), "filter")


@pytest.mark.parametrize(("requested", "used"), [(0, 50), (1, 1), (200, 200), (5000, 200)])
def test_page_sizes(requested: int, used: int) -> None:
    assert paging.page_size(requested) == used


def test_a_negative_page_size_is_refused() -> None:
    with pytest.raises(errors.Invalid, match="page_size: should be 0 for the default, or 1 to 20"):
        paging.page_size(-1, default=10, most=20)
