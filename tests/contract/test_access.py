"""The page of who may call what is what the contract says."""

from tests.contract import access


def test_the_page_is_fresh():
    assert access.PAGE.read_text() == access.page(), access.__doc__


def test_every_method_has_a_row_and_every_row_a_method():
    methods = {f"/{service.full_name}/{method.name}" for service in access.services() for method in service.methods}
    assert access.written().keys() == methods
