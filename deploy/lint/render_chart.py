# SPDX-License-Identifier: Apache-2.0
"""This is where a chart is rendered by the Helm engine: values as JSON on standard input, one JSON object out.

`{"findings": [...], "manifests": {"file": "text"}}`, or `{"refused": "why"}` when Helm takes neither chart nor values.
Run by the Python of `.boot/lint`; nothing is asked of any cluster.
"""

import json
import sys

import helm_python as helm  # type: ignore[import-not-found]  # of .boot/lint


def render(chart: str, values: dict[str, object]) -> dict[str, object]:
    """What `helm lint` finds and `helm template` makes of the chart at this path."""
    findings = helm.lint(chart, values)
    with helm.Chart.load(chart) as loaded:
        loaded.validate_schema(values)
        manifests = loaded.render(values, name="evidock", namespace="evidence")
    return {"findings": findings, "manifests": manifests}


if __name__ == "__main__":
    try:
        answer = render(sys.argv[1], json.load(sys.stdin))
    except helm.HelmError as error:
        answer = {"refused": str(error)}
    json.dump(answer, sys.stdout)
