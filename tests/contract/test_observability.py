"""Nobody is woken, and nothing is drawn, by a metric that does not exist; and every alert says what to do."""

import re
import runpy
from typing import Any

import pytest
import yaml

from tests.contract import observability

EXPORTED = observability.exported()
RECORDED = {rule["record"] for rule in observability.rules() if "record" in rule}
OF_TARGETS = {"service", "job", "instance", "namespace"}
QUERIES = [(rule.get("alert") or rule["record"], rule["expr"]) for rule in observability.rules()] + [
    (name, query) for name, board in observability.dashboards().items() for query in observability.expressions(board)
]


def test_our_metrics_are_named_alike_and_their_labels_are_bounded() -> None:
    ours = {name: labels for name, labels in EXPORTED.items() if not name.startswith(("process_", "python_"))}
    assert len(ours) > 60
    assert {name for name in ours if not name.startswith(("rushes_", "grpc_server_", "grpc_client_"))} == {"up"}
    unbounded = {"tenant", "tenant_id", "job_id", "submission_id", "account_id", "production_id", "user", "subject_id"}
    assert {name for name, labels in ours.items() if labels & unbounded} == set()
    assert {name for name, labels in ours.items() if "account" in labels} == {"rushes_money_micros"}, (
        "an account is a key"
    )


@pytest.mark.parametrize(("where", "query"), QUERIES, ids=[where for where, _ in QUERIES])
def test_a_query_asks_for_what_is_exported(where: str, query: str) -> None:
    named = {name for name in observability.named(query) if name not in RECORDED}
    assert named <= EXPORTED.keys()
    for name, labels in observability.matched(query).items():
        assert labels <= EXPORTED[name] | OF_TARGETS, f"{name} has no such label"


@pytest.mark.parametrize("alert", observability.alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_says_what_it_means_and_what_to_do(alert: dict[str, Any]) -> None:
    name = alert["alert"]
    assert alert["labels"]["severity"] in {"page", "ticket", "none"}
    assert alert["annotations"]["summary"]
    assert alert["annotations"]["runbook_url"] == f"docs/alerts.md#{name.lower()}"
    told = observability.section(observability.ALERTS, name)
    assert re.search(r"\*\*Means:\*\*", told)
    assert re.search(r"\*\*(Look|Do)", told)


def test_no_section_is_of_an_alert_that_is_gone() -> None:
    sections = re.findall(r"^### (\S+)$", observability.ALERTS.read_text(), re.MULTILINE)
    assert sections == list(dict.fromkeys(sections))
    assert set(sections) == {alert["alert"] for alert in observability.alerts()}


@pytest.mark.parametrize("name", list(observability.dashboards()))
def test_a_dashboard_can_be_loaded(name: str) -> None:
    board = observability.dashboards()[name]
    assert board["uid"] == f"rushes-{name}"
    assert "id" not in board
    assert board["schemaVersion"] >= 39
    assert {one["name"] for one in board["templating"]["list"]} >= {"datasource"}
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24
        if panel["type"] != "row":
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert panel["title"]
            assert panel["description"]
            assert panel["targets"]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells)), "two panels lie on one another"


def test_the_dashboards_are_as_their_source_draws_them() -> None:
    source = yaml.safe_load((observability.HERE / "dashboards.yaml").read_text())
    draw = runpy.run_path(str(observability.HERE / "draw.py"))
    assert {name: draw["board"](name, told) for name, told in source.items()} == observability.dashboards()


def test_there_is_a_dashboard_for_each_question() -> None:
    assert set(observability.dashboards()) == {"overview", "calls", "jobs", "money", "messages", "films", "runtime"}
