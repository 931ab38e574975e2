"""The commands of the deployment pages fit the charts: every value they set is one, and the names are those made."""

from __future__ import annotations

import itertools
import re
import shlex
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest

from tests.charts import rendering
from tests.charts.rendering import merged

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["deploy-gke.md", "deploy-anywhere.md"]


def commands(page: str) -> list[list[str]]:
    """Commands of a page's console blocks, in their order."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [shlex.split(line) for line in lines if line.startswith(("helm ", "kubectl ")) and line.count("'") % 2 == 0]


def releases(page: str) -> list[tuple[str, Path, dict[str, Any]]]:
    """Name, chart and values of each command that installs or upgrades one of the charts, put together as by Helm."""
    found: list[tuple[str, Path, dict[str, Any]]] = []
    last: dict[str, dict[str, Any]] = {}
    for command in commands(page):
        chart = next((ROOT / word for word in command if word.startswith("charts/") and "values" not in word), None)
        if command[0] != "helm" or chart is None:
            continue
        name = command[command.index("upgrade") + 1 :][command[command.index("upgrade") + 1] == "--install"]
        values = [last[name]] if "--reuse-values" in command else []
        for option, given in itertools.pairwise(command):
            if option == "-f":
                values.append(rendering.example(ROOT / Path(given).parent, Path(given).name))
            if option == "--set":
                values.append(helm.parse_set_string(given))
        last[name] = merged(*values)
        found.append((name, chart, last[name]))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "chart", "values"),
    [pytest.param(*release, id=f"{page} {number}") for page in PAGES for number, release in enumerate(releases(page))],
)
def test_installed_manifests_are_valid(name, chart, values):
    objects = rendering.render(chart, values, name=name)
    assert [text for one in objects for version in rendering.VERSIONS for text in rendering.errors(one, version)] == []


@pytest.mark.parametrize("page", PAGES)
def test_the_objects_that_a_page_names_are_made(page):
    made = {
        f"{one['kind'].lower()}/{re.sub(r'-1$', '', one['metadata']['name'])}"
        for name, chart, values in releases(page)
        for one in rendering.render(chart, values, name=name)
    }
    named = set()
    for command in commands(page):
        words = [word for word in command if re.fullmatch(r"(deployment|service|job)/(emrys|ranking)-\S+", word)]
        named |= {re.sub(r"-\d$", "", word) for word in words}
        if command[0] == "kubectl" and "get" in command and {"configmap", "horizontalpodautoscaler"} & set(command):
            kind = command[command.index("get") + 1]
            named.add(f"{kind}/{command[command.index('get') + 2]}")
    assert len(named) >= 4
    assert named <= made


def test_the_accounts_of_workload_identity_are_those_of_the_charts():
    text = (ROOT / "docs" / "deploy-gke.md").read_text(encoding="utf-8")
    for name, chart, values in releases("deploy-gke.md"):
        accounts = [one for one in rendering.render(chart, values, name=name) if one["kind"] == "ServiceAccount"]
        for account in accounts:
            if identity := account["metadata"].get("annotations", {}).get("iam.gke.io/gcp-service-account"):
                assert f"add-iam-policy-binding {identity}" in text
                assert f"/{account['metadata']['name']}]" in text
