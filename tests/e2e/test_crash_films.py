"""The compiler and its workers die on a film's way, for every commit in small; `make crash` has every place."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests import homes
from tests.crash import films


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig() -> AsyncIterator[films.Rig]:
    with homes.folder("rushes-e2e-") as made:
        async with films.standing(Path(made)) as standing:
            yield standing


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("place", "action"),
    [
        ("clips.fetched", "kill"),
        ("pieces.committed", "kill"),
        ("piece.kept", "kill"),
        ("film.kept", "kill"),
        ("worker.forked", "kill its workers"),
        ("piece.laid", "cancel"),
    ],
)
async def test_no_film_is_half_and_no_piece_is_made_in_vain(rig: films.Rig, place: str, action: str) -> None:
    outcome = await films.tried(rig, f"compiler {place}", action, 0)
    assert outcome == films.Outcome(wrong=(), missed=False)
