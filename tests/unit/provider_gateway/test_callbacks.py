"""The address of a submission's callbacks."""

import dataclasses

from services.provider_gateway import callbacks
from tests.unit.provider_gateway import test_domain

ORDER = test_domain.submission(id="sub_01m7")
SECRET = "the secret of the addresses"


def word_of(address: str | None) -> str:
    assert address is not None
    return address.partition("?")[0].rpartition("/")[2]


def test_only_an_installation_that_can_be_reached_asks_to_be_called() -> None:
    for nowhere in (None, ""):
        assert callbacks.Addresses(nowhere, SECRET).of(ORDER) is None
    address = callbacks.Addresses("https://films.example/", SECRET).of(ORDER)
    assert address is not None
    assert address.startswith("https://films.example/callbacks/sub_01m7/")
    assert address.endswith("?attempt=sub_01m7")


def test_the_word_is_the_order_s_own_and_tells_nothing_of_the_secret() -> None:
    addresses = callbacks.Addresses("https://films.example", SECRET)
    word = word_of(addresses.of(ORDER))
    assert len(word) == 40
    assert SECRET not in word
    assert addresses.is_word(ORDER.id, word)
    others = [
        word_of(addresses.of(dataclasses.replace(ORDER, id="sub_01m8"))),
        word_of(callbacks.Addresses("https://films.example", "another").of(ORDER)),
    ]
    for wrong in (*others, word[:-1], word.upper(), "", "\u00e9", "\ud800"):
        assert not addresses.is_word(ORDER.id, wrong)
