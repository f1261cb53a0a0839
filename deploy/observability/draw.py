"""Writes the dashboards for Grafana from dashboards.yaml: `python deploy/observability/draw.py`."""

import json
import pathlib
from typing import Any

import yaml

HERE = pathlib.Path(__file__).parent
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_MATCHERS = {
    "@ours": 'grpc_service=~"rushes[.].*", service=~"$service"',
    "@bad": 'grpc_code=~"Unknown|Internal|Unavailable|DeadlineExceeded|DataLoss|Unimplemented"',
}
_WIDE, _HALF, _HIGH, _LOW = 24, 12, 8, 4


def queries(shown: dict[str, Any]) -> list[dict[str, Any]]:
    """What one entry of `shows` asks: its expressions and what their lines are called."""
    by, where = shown.get("by", ""), shown.get("where", "")
    if name := shown.get("rate"):
        last = by.split(", ")[-1]
        return [_query(f"sum by ({by}) (rate({name}{{{where}}}[$__rate_interval]))", "{{" + last + "}}")]
    if name := shown.get("quantiles"):
        of = f"sum by ({', '.join(filter(None, ('le', by)))}) (rate({name}_bucket{{{where}}}[$__rate_interval]))"
        whose = "{{" + by + "}} " if by else ""
        shares = {"median": 0.5, "slowest 5 %": 0.95}
        exemplars = shown.get("exemplars", False)
        return [_query(f"histogram_quantile({at}, {of})", whose + title, exemplars) for title, at in shares.items()]
    return [_query(shown["is"], shown["line"])]


def _query(expression: str, legend: str, exemplars: bool = False) -> dict[str, Any]:
    for short, long in _MATCHERS.items():
        expression = expression.replace(short, long)
    return {"datasource": _SOURCE, "expr": expression, "legendFormat": legend, "exemplar": exemplars}


def board(name: str, told: dict[str, Any]) -> dict[str, Any]:
    """A dashboard as Grafana reads it; its uid never changes, so that links last."""
    return {
        "uid": f"rushes-{name}",
        "title": f"Rushes: {told['title']}",
        "tags": ["rushes"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "utc",
        "links": [{"title": "Rushes", "type": "dashboards", "tags": ["rushes"], "asDropdown": True, "keepTime": True}],
        "templating": {"list": _variables()},
        "annotations": {"list": []},
        "panels": _placed(told["panels"]),
    }


def _variables() -> list[dict[str, Any]]:
    asked = {"query": "label_values(rushes_build_info, service)", "refId": "service"}
    return [
        {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "current": {}},
        {
            "name": "service",
            "label": "Service",
            "type": "query",
            "datasource": _SOURCE,
            "query": asked,
            "refresh": 2,
            "includeAll": True,
            "multi": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        },
    ]


def _placed(panels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """From left to right, and on."""
    placed, x, y, row = list[dict[str, Any]](), 0, 0, 0
    for number, panel in enumerate(panels, 1):
        width = panel.get("width", _HALF)
        if x + width > _WIDE:
            x, y, row = 0, y + row, 0
        height = _LOW if panel.get("kind") == "stat" and width < _HALF else _HIGH
        placed.append(_panel(number, panel, {"x": x, "y": y, "w": width, "h": height}))
        x, row = x + width, max(row, height)
    return placed


def _panel(number: int, told: dict[str, Any], place: dict[str, int]) -> dict[str, Any]:
    kind, stacks = told.get("kind", "timeseries"), told.get("stack", False)
    is_drawn = kind == "timeseries"
    looks = {"fillOpacity": 30 if stacks else 5, "stacking": {"mode": "normal" if stacks else "none"}}
    shown = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
    asked = [query for entry in told["shows"] for query in queries(entry)]
    defaults = {"unit": told.get("unit", "short")} | ({"custom": looks, "min": 0} if is_drawn else {})
    return {
        "id": number,
        "title": told["title"],
        "description": told["tells"],
        "type": kind,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": shown if is_drawn else {},
        "targets": [
            query | {"refId": chr(ord("A") + at), "range": is_drawn, "instant": not is_drawn}
            for at, query in enumerate(asked)
        ],
    }


def main() -> None:
    """Write them all."""
    for name, told in yaml.safe_load((HERE / "dashboards.yaml").read_text()).items():
        path = HERE / "dashboards" / f"{name}.json"
        path.write_text(json.dumps(board(name, told), indent=2) + "\n")


if __name__ == "__main__":
    main()
