# SPDX-License-Identifier: Apache-2.0
"""This is where alerts are tried by promtool, and alerts, dashboard and autoscaling held to the metrics that exist."""

import json
import re

import pytest
import yaml

from evidence.errors import BackupInvalid, IntegrityError
from tests.deploy.tools import DEPLOY, ROOT, run, tool
from tests.support import error_table

ALERTS = DEPLOY / "prometheus" / "alerts.yaml"
DASHBOARD = DEPLOY / "grafana" / "evidock.json"
SCALING = DEPLOY / "helm" / "evidock" / "templates" / "autoscaling.yaml"
PAGE = ROOT / "docs" / "operate" / "monitoring.md"
REMEDY = "run: .venv/bin/python -m deploy.lint"


def known() -> set[str]:
    """Every metric that docs/operate/monitoring.md tells of; another test holds that page to the code."""
    return set(re.findall(r"`(evidock_[a-z_]+)", PAGE.read_text("utf-8")))


def used(text: str) -> set[str]:
    """The metrics that a file speaks of; the series of a histogram count as it."""
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\bevidock_[a-z_]+", text)}


def test_promtool_takes_the_alerts() -> None:
    done = run(tool("promtool", remedy=REMEDY), "check", "rules", ALERTS)
    assert done.returncode == 0, done.stderr


def test_each_alert_fires_when_it_must_and_only_then() -> None:
    done = run(tool("promtool", remedy=REMEDY), "test", "rules", ALERTS.with_name("alerts_test.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_shown_firing_and_quiet() -> None:
    rules = {rule["alert"] for group in yaml.safe_load(ALERTS.read_text("utf-8"))["groups"] for rule in group["rules"]}
    tests = yaml.safe_load(ALERTS.with_name("alerts_test.yaml").read_text("utf-8"))["tests"]
    tried = [case for one in tests for case in one["alert_rule_test"]]
    assert {case["alertname"] for case in tried if case["exp_alerts"]} == rules
    assert {case["alertname"] for case in tried if not case["exp_alerts"]} == rules


def test_every_alert_says_what_to_do() -> None:
    rules = [rule for group in yaml.safe_load(ALERTS.read_text("utf-8"))["groups"] for rule in group["rules"]]
    assert not [rule["alert"] for rule in rules if set(rule["annotations"]) != {"summary", "action"}]
    assert {rule["labels"]["severity"] for rule in rules} == {"critical", "warning", "info"}


@pytest.mark.parametrize("name", ["alerts.yaml", "alerts_test.yaml", "evidock.json", "autoscaling.yaml"])
def test_every_metric_that_is_asked_for_exists(name: str) -> None:
    path = next(one for one in DEPLOY.rglob(name) if one.name == name)
    assert used(path.read_text("utf-8"))
    assert not used(path.read_text("utf-8")) - known()


def test_every_metric_is_on_the_dashboard() -> None:
    assert known() == used(DASHBOARD.read_text("utf-8"))


def test_whatever_does_not_hold_calls_somebody() -> None:
    codes = {error.code for error in error_table.error_classes() if issubclass(error, IntegrityError)}
    listed = re.search(r'code=~"([^"]+)"', ALERTS.read_text("utf-8"))
    assert listed
    assert set(listed[1].split("|")) == codes - {IntegrityError.code}
    assert BackupInvalid.code in listed[1]
    assert f'code!~"{listed[1]}"' in ALERTS.read_text("utf-8")


def test_workers_are_scaled_by_what_the_register_knows_and_not_by_the_broker() -> None:
    text = SCALING.read_text("utf-8")
    assert "max(evidock_jobs_runnable_plus_leased" in text
    assert "type: redis" not in text


def test_the_dashboard_is_whole() -> None:
    panels = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in (one for one in panels if one["type"] != "row"):
        assert panel["title"]
        assert all(target["expr"] and target["datasource"]["uid"] == "${source}" for target in panel["targets"])
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


def test_prometheus_can_read_every_question_of_the_dashboard(tmp_path_factory: pytest.TempPathFactory) -> None:
    panels = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    asked = [target["expr"].replace("$job", ".*") for panel in panels for target in panel.get("targets", [])]
    rules = [{"record": f"question:{number}", "expr": expr} for number, expr in enumerate(asked)]
    path = tmp_path_factory.mktemp("promtool") / "questions.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}), "utf-8")
    done = run(tool("promtool", remedy=REMEDY), "check", "rules", path)
    assert done.returncode == 0, done.stderr
