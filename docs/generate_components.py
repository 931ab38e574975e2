"""Writes docs/components/ from the contracts of the steps: `python docs/generate_components.py`."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from typing import Any

from emrys import components
from emrys.pipelines.spec import SPECS, pipeline_spec

FOLDER = Path(__file__).with_name("components")


def steps() -> list[str]:
    """Names of all steps: the folders with a contract."""
    folders = [module.name for module in pkgutil.iter_modules(components.__path__) if module.ispkg]
    return [name for name in folders if (Path(components.__path__[0]) / name / "component.py").is_file()]


def pages() -> dict[str, str]:
    """All pages by the name of their file."""
    contracts = {name: getattr(importlib.import_module(f"emrys.components.{name}.component"), name) for name in steps()}
    return {"README.md": _index(contracts), **{f"{name}.md": _page(name, found) for name, found in contracts.items()}}


def _index(contracts: dict[str, Any]) -> str:
    lines = ["# The steps", "", "Made from their contracts by `python docs/generate_components.py`.", ""]
    lines += ["| Step | Image | What it does |", "| --- | --- | --- |"]
    lines += [f"| [{name}]({name}.md) | {_image(found)} | {found.description} |" for name, found in contracts.items()]
    return "\n".join(lines) + "\n"


def _page(name: str, component: Any) -> str:
    spec = component.component_spec
    inputs, outputs = dict(spec.inputs or {}), dict(spec.outputs or {})
    artifacts = {key: one for key, one in inputs.items() if one.type.startswith("system.")}
    parameters = {key: one for key, one in inputs.items() if key not in artifacts}
    parts = [f"# {name}", "", component.description or "", "", f"Image: `{_image(component)}`."]
    step = importlib.import_module(f"emrys.components.{name}.step")
    if inspect.getdoc(step):
        parts.append(f"The work: `components.{name}.step`. {_one_line(inspect.getdoc(step))}")
    if artifacts:
        parts += ["", "## What goes in", "", "| Artifact | Type | |", "| --- | --- | --- |"]
        parts += [f"| `{key}` | {_kind(one)} | {_one_line(one.description)} |" for key, one in artifacts.items()]
    if parameters:
        parts += ["", "## Parameters", "", "| Parameter | Type | Default | |", "| --- | --- | --- | --- |"]
        parts += [
            f"| `{key}` | {_kind(one)} | {_default(one)} | {_one_line(one.description)} |"
            for key, one in parameters.items()
        ]
    parts += ["", "## What comes out", "", "| Output | Type | |", "| --- | --- | --- |"]
    parts += [f"| `{key}` | {_kind(one)} | {_one_line(one.description)} |" for key, one in outputs.items()]
    parts += ["", "## Resources", "", "| Pipeline | CPU | Memory | GPUs |", "| --- | --- | --- | --- |"]
    parts += _resources(name)
    return "\n".join(parts) + "\n"


def _resources(step: str) -> list[str]:
    rows = []
    for pipeline in SPECS:
        asked = dataclasses.asdict(pipeline_spec(pipeline).config().steps).get(step)
        if asked is not None:
            rows.append(f"| {pipeline} | {asked['cpu']} | {asked['memory']} | {asked['gpus']} |")
    return rows


def _image(component: Any) -> str:
    """The image without its version, so that a page does not change with every release."""
    return str(component.component_spec.implementation.container.image).split(":", 1)[0]


def _kind(one: Any) -> str:
    """The type as KFP calls it; of an artifact, without the version of its schema."""
    return re.sub(r"^system\.(\w+)@.*$", r"\1", str(one.type))


def _default(one: Any) -> str:
    return "needed" if not one.optional else f"`{one.default!r}`"


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.md"):
        old.unlink()
    for file, text in pages().items():
        (FOLDER / file).write_text(text, encoding="utf-8")
