import copy
import json

import pytest

from services.studio.rest import routes, table
from tests.contract import openapi

WRITTEN = json.loads((openapi.ROOT / openapi.PLACE).read_text())
SCHEMAS = WRITTEN["components"]["schemas"]


def test_the_document_is_fresh():
    assert openapi.made(openapi.comments()) == (openapi.ROOT / openapi.PLACE).read_text(), "run `make openapi`"


def test_every_call_of_the_services_has_an_address():
    # Behind the media of takes, the page of a link, and what services ask each other.
    without = {"ExtractStill", "OpenShare", "IdentifySession", "IdentifyApiToken"}
    routed = {routes.find(route.call).method.full_name for route in table.ROUTES}
    services = {routes.find(route.call).method.containing_service for route in table.ROUTES}
    there = {method.full_name for service in services for method in service.methods}
    assert {name for name in there - routed if name.rpartition(".")[2] not in without} == set()


def test_everything_is_described():
    for path, methods in WRITTEN["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], f"{method} {path}"
    names = [operation["operationId"] for methods in WRITTEN["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))
    assert all(schema.get("description") for schema in SCHEMAS.values())


def removed(*steps):
    """The document without what lies there."""
    now = copy.deepcopy(WRITTEN)
    place = now
    for step in steps[:-1]:
        place = place[step]
    del place[steps[-1]]
    return now


@pytest.mark.parametrize(
    ("steps", "line"),
    [
        (("paths", "/v1/jobs"), "gone: GET /v1/jobs"),
        (("paths", "/v1/jobs", "get", "parameters", 0), "gone: GET /v1/jobs | query page_size: integer"),
        (("components", "schemas", "Job", "properties", "state"), "gone: Job.state: #/components/schemas/JobState"),
        (("components", "schemas", "JobState", "enum", 1), "gone: JobState: can be STATE_WAITING"),
        (("components", "schemas", "Job", "required", 0), "gone: Job.id: is always there"),
    ],
)
def test_what_is_taken_away_breaks_callers(steps, line):
    assert line in openapi.broken(WRITTEN, removed(*steps))


def test_what_is_asked_for_anew_breaks_callers():
    now = copy.deepcopy(WRITTEN)
    now["paths"]["/v1/jobs"]["get"]["parameters"][0]["required"] = True
    assert openapi.broken(WRITTEN, now) == ["needs GET /v1/jobs | query page_size"]


def test_what_is_added_breaks_nobody():
    assert openapi.broken(removed("paths", "/v1/jobs"), WRITTEN) == []
    assert openapi.broken(removed("components", "schemas", "Job", "properties", "state"), WRITTEN) == []
