# SPDX-License-Identifier: Apache-2.0
"""This is where the chart is rendered by the Helm engine, and the objects are held to the schemas of Kubernetes."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.tools import DEPLOY, own_tool, run

CHART = DEPLOY / "helm" / "evidock"
PLAIN: dict[str, Any] = {"settings": {"EVIDOCK_AGENCY": "log.example.org"}}
EVERYTHING: dict[str, Any] = {
    **PLAIN,
    "image": {"digest": "sha256:" + "a" * 64, "pullSecrets": [{"name": "registry"}]},
    "autoscaling": {"enabled": True},
    "podMonitor": {"enabled": True},
    "docks": [{"name": "dock-1", "claim": "one"}, {"name": "dock-2", "claim": "two"}],
    "dock": {"storageClass": "fast"},
    "server": {"enabled": True, "certificate": "evidock-tls", "from": ["10.20.0.0/16"], "storageClass": "fast"},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "media", "operator": "Exists"}],
}
# Kinds that are no part of Kubernetes: of KEDA and of the Prometheus operator.
FOREIGN = {"ScaledObject", "PodMonitor"}


def helm(values: dict[str, Any]) -> dict[str, Any]:
    """What the Helm engine makes of the chart and these values."""
    done = run(own_tool("python"), DEPLOY / "lint" / "render_chart.py", CHART, told=json.dumps(values))
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def rendered(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Every object that the chart makes."""
    manifests = helm(values)["manifests"].values()
    return [one for text in manifests for one in yaml.safe_load_all(text) if one]


def of_kind(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [one for one in objects if one["kind"] == kind]


def pods(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pod of each object that has one."""
    jobs = [one["spec"].get("jobTemplate", one)["spec"] for one in objects]
    return [job["template"]["spec"] for job in jobs if "template" in job]


@pytest.fixture(scope="module")
def everything() -> list[dict[str, Any]]:
    """The chart with all that can be switched on switched on."""
    return [one for one in rendered(EVERYTHING) if "spec" in one]


def test_helm_finds_nothing_to_warn_of() -> None:
    findings = helm(PLAIN)["findings"]
    assert not findings["errors"]
    assert {message["error"] for message in findings["messages"]} == {"icon is recommended"}


@pytest.mark.parametrize("values", [PLAIN, EVERYTHING], ids=["plain", "everything"])
def test_kubernetes_would_take_what_is_rendered(values: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "rendered.yaml"
    objects = [one for one in rendered(values) if one["kind"] not in FOREIGN]
    path.write_text(yaml.safe_dump_all(objects), "utf-8")
    done = run(own_tool("kubernetes-validate"), "--strict", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_log_without_a_name_is_refused() -> None:
    assert "EVIDOCK_AGENCY" in helm({})["refused"]


@pytest.mark.parametrize("setting", ["EVIDOCK_REGISTER_URL", "EVIDOCK_BROKER_URL"])
def test_a_password_among_the_settings_is_refused(setting: str) -> None:
    assert setting in helm({"settings": {**PLAIN["settings"], setting: "redis://:secret@host"}})["refused"]


def test_a_value_that_nobody_reads_is_refused() -> None:
    assert "replica" in helm({**PLAIN, "worker": {"replica": 3}})["refused"]


def test_the_chart_makes_no_secret(everything: list[dict[str, Any]]) -> None:
    assert not of_kind(everything, "Secret")


def test_every_pod_is_shut_in(everything: list[dict[str, Any]]) -> None:
    found = pods(everything)
    assert len(found) == 6
    for pod in found:
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert container["image"].endswith("@sha256:" + "a" * 64)
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]


def test_every_process_is_asked_whether_it_lives_and_is_ready(everything: list[dict[str, Any]]) -> None:
    processes = [
        container
        for one in [*of_kind(everything, "Deployment"), *of_kind(everything, "StatefulSet")]
        for container in one["spec"]["template"]["spec"]["containers"]
    ]
    assert len(processes) == 7
    for container in processes:
        own = [port["name"] for port in container["ports"]]
        assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": own[0]}
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": own[0]}


def test_a_dock_reads_its_footage_and_keeps_its_home(everything: list[dict[str, Any]]) -> None:
    docks = [one for one in of_kind(everything, "StatefulSet") if one["metadata"]["name"] != "evidock-server"]
    assert len(docks) == 2
    for dock in docks:
        pod = dock["spec"]["template"]["spec"]
        assert [one["metadata"]["name"] for one in dock["spec"]["volumeClaimTemplates"]] == ["home"]
        for container in pod["containers"]:
            mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
            assert mounts["dock"]["readOnly"] is True
            assert {"name": "EVIDOCK_DOCK", "value": dock["metadata"]["name"].removeprefix("evidock-")} in container[
                "env"
            ]


def test_the_server_is_one_pod_that_keeps_its_home_and_is_reached_by_its_docks_alone(
    everything: list[dict[str, Any]],
) -> None:
    (server,) = (one for one in of_kind(everything, "StatefulSet") if one["metadata"]["name"] == "evidock-server")
    assert server["spec"]["replicas"] == 1
    assert [one["metadata"]["name"] for one in server["spec"]["volumeClaimTemplates"]] == ["home"]
    assert [one["args"][0] for one in server["spec"]["template"]["spec"]["containers"]] == ["serve", "worker"]
    (service,) = (one for one in of_kind(everything, "Service") if one["metadata"]["name"] == "evidock-server")
    assert service["spec"]["selector"]["app.kubernetes.io/component"] == "server"
    (policy,) = (one for one in of_kind(everything, "NetworkPolicy") if one["metadata"]["name"] == "evidock-server")
    assert policy["spec"]["ingress"] == [
        {"from": [{"ipBlock": {"cidr": "10.20.0.0/16"}}], "ports": [{"port": 9443}]},
    ]


def test_each_day_is_compared_and_put_on_record(everything: list[dict[str, Any]]) -> None:
    (job,) = of_kind(everything, "CronJob")
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["dock", "report", "--record", "--json"]
    assert job["spec"]["concurrencyPolicy"] == "Forbid"


def test_without_a_server_nothing_new_comes_in() -> None:
    names = [one["metadata"]["name"] for one in rendered(PLAIN)]
    assert "evidock-server" not in names


def test_every_mount_has_its_volume(everything: list[dict[str, Any]]) -> None:
    for one in (one for one in everything if pods([one])):
        (pod,) = pods([one])
        claims = [claim["metadata"]["name"] for claim in one["spec"].get("volumeClaimTemplates", [])]
        volumes = {volume["name"] for volume in pod["volumes"]} | set(claims)
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes


def test_with_autoscaling_nobody_else_says_how_many_workers(everything: list[dict[str, Any]]) -> None:
    (worker,) = of_kind(everything, "Deployment")
    (scaled,) = of_kind(everything, "ScaledObject")
    assert "replicas" not in worker["spec"]
    assert scaled["spec"]["scaleTargetRef"]["name"] == worker["metadata"]["name"]


def test_a_register_that_is_away_takes_no_worker_away(everything: list[dict[str, Any]]) -> None:
    (scaled,) = of_kind(everything, "ScaledObject")
    assert scaled["spec"]["triggers"][0]["metadata"]["ignoreNullValues"] == "false"
    assert scaled["spec"]["fallback"]["replicas"] == 2


def test_without_it_the_values_say() -> None:
    objects = rendered(PLAIN)
    assert not of_kind(objects, "ScaledObject")
    assert of_kind(objects, "Deployment")[0]["spec"]["replicas"] == 2


def test_only_the_monitoring_comes_in(everything: list[dict[str, Any]]) -> None:
    (policy,) = (one for one in of_kind(everything, "NetworkPolicy") if one["metadata"]["name"] == "evidock")
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert [rule["ports"] for rule in policy["spec"]["ingress"]] == [[{"port": 9300}, {"port": 9301}]]
