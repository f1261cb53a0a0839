"""Which numbers are public, and what of an address is refused before anybody is asked."""

import pytest

from libs import egress
from tests.unit.provider_gateway import addresses


@pytest.mark.parametrize("host", [*addresses.RANGES, *addresses.RANGES_6])
def test_a_number_that_is_not_public(host):
    assert not egress.is_public(host)


@pytest.mark.parametrize(
    "host",
    """8.8.8.8 1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255
    169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0
    223.255.255.255 168.63.129.15 2001:4860:4860::8888 2606:4700:4700::1111 2a00:1450:4001::1 2001:200::1 2003::1
    2620:4f:8001::1 3ffe::1""".split(),
)
def test_a_number_that_is_public(host):
    assert egress.is_public(host)


@pytest.mark.parametrize("number", ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "168.63.129.16"])
def test_a_number_at_which_clouds_tell_secrets(number):
    assert egress.is_metadata(number)
    assert not egress.is_metadata("10.0.0.1")


@pytest.mark.parametrize("text", ["https://me@a.example/", "https://:word@a.example/", "http://[::1", "https://a:b/"])
def test_an_address_that_is_refused_as_it_stands(text):
    with pytest.raises(egress.Refused):
        egress.parsed(text)


def test_an_address_is_not_changed_by_reading_it():
    assert str(egress.parsed("https://a.example/b%2Fc?d=%7e&e=f+g")) == "https://a.example/b%2Fc?d=%7e&e=f+g"
