"""What Prometheus would make of our metrics: the alerts' expressions, as far as they are used, and who fires."""

import json
import operator
import re
from pathlib import Path

import yaml
from prometheus_client.parser import text_string_to_metric_families

OBSERVABILITY = Path(__file__).parents[1] / "worker" / "observability"
ALERTS = {
    rule["alert"]: rule
    for group in yaml.safe_load((OBSERVABILITY / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
}
DASHBOARD = json.loads((OBSERVABILITY / "grafana" / "columnline.json").read_text())
PROMETHEUS = yaml.safe_load((OBSERVABILITY / "prometheus.yml").read_text())

_EXPRESSION = re.compile(r"(?P<name>\w+)(?:\{(?P<labels>[^}]*)\})? (?P<sign>==|>|<) (?P<bound>[\d.]+)")
_SIGNS = {"==": operator.eq, ">": operator.gt, "<": operator.lt}


def samples(answer):
    """What a scrape that was answered so brings: names, labels and values; `up` is Prometheus' own."""
    (job,) = [config["job_name"] for config in PROMETHEUS["scrape_configs"]]
    found = [("up", {"job": job}, float(answer.status_code == 200))]
    if answer.status_code == 200:
        for family in text_string_to_metric_families(answer.text):
            found += [(sample.name, sample.labels, sample.value) for sample in family.samples]
    return found


def fires(alert, found):
    """Whether the alert's expression holds for one of the samples; for how long, Prometheus would look."""
    expression = _EXPRESSION.fullmatch(ALERTS[alert]["expr"])
    assert expression, f"{alert}: the evaluator knows `name{{labels}} sign number` and no more"
    wanted = dict(re.findall(r'(\w+)="([^"]*)"', expression["labels"] or ""))
    return any(
        name == expression["name"]
        and wanted.items() <= labels.items()
        and _SIGNS[expression["sign"]](value, float(expression["bound"]))
        for name, labels, value in found
    )


def firing(answer):
    """The alerts that hold after a scrape that was answered so."""
    found = samples(answer)
    return {alert for alert in ALERTS if fires(alert, found)}


def named(expression):
    """The metrics that an expression names."""
    words = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\bby \([^)]*\)", "", expression)
    return {word for word in re.findall(r"[a-z_]{2,}", words) if "_" in word or word == "up"}
