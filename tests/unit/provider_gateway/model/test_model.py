"""Every world that the submission protocol can bring about, by its own rules: none pays twice, none loses or sticks."""

import pytest

from services.provider_gateway import domain
from tests.unit.provider_gateway import offers
from tests.unit.provider_gateway.model import calls, configs, look, mutants

EVERYTHING = calls.Config("everything", losses=1)


@pytest.fixture
def tell(record_property):
    """Say it even when the test passes: it is a figure to publish."""
    return lambda text: record_property("figure", f"model: {text}")


@pytest.mark.parametrize("config", configs.PROVEN, ids=lambda config: config.name)
def test_no_world_breaks_a_law_and_every_world_can_end_well(config, tell):
    found = look.at(config).found
    tell(look.told(config.name, found))
    assert not found.broken, found.trace
    assert found.worlds > 1000


def test_every_transition_of_the_table_is_taken(tell):
    taken = frozenset[tuple[domain.State, domain.State]]().union(*(look.at(config).taken for config in configs.PROVEN))
    tell(f"{len(taken)} of {len(domain.TRANSITIONS)} transitions taken")
    assert taken == domain.TRANSITIONS


@pytest.mark.parametrize("design", mutants.DESIGNS, ids=lambda design: design.__name__)
def test_a_design_that_looks_right_is_found_out(design, tell):
    found = look.at(EVERYTHING, design).found
    tell(look.told(design.__name__, found))
    assert found.broken


def test_the_protocol_itself_keeps_the_law_that_finds_them_out():
    assert not look.at(EVERYTHING).found.broken


def test_absence_is_not_proven_where_somebody_may_still_repeat(tell):
    config = calls.Config("repeats", crashes=0, cancels=0, window=configs.DAY)
    found = look.at(config, mutants.NotesNoRepeats).found
    tell(look.told("NotesNoRepeats", found))
    assert found.broken


@pytest.mark.parametrize("config", configs.TAKEN_FOR_GRANTED, ids=lambda config: config.name)
def test_what_is_taken_for_granted_is_needed(config, tell):
    found = look.at(config).found
    tell(look.told(config.name, found))
    assert found.broken


@pytest.mark.parametrize("endpoint", sorted(offers.OFFER.endpoints))
def test_what_is_sold_is_proven(endpoint):
    can = offers.OFFER.endpoints[endpoint].capabilities
    lookup = "none" if can.lookup == "none" else "strong" if can.absence == "strong" else "weak"
    assert (lookup, can.idempotency_s) in {(one.lookup, one.window.total_seconds()) for one in configs.PROVEN}
