"""Writes the JSON Schemas of the configuration files into docs/schemas: `python docs/generate_schemas.py`."""

from __future__ import annotations

from pathlib import Path

from emrys.pipelines.config.config_schema import schema_text
from emrys.pipelines.spec import SPECS

FOLDER = Path(__file__).parent / "schemas"


def files() -> dict[str, str]:
    """Contents of the folder by file name."""
    return {f"{name}.schema.json": schema_text(name, spec.config) for name, spec in SPECS.items()}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.json"):
        old.unlink()
    for file, text in files().items():
        (FOLDER / file).write_text(text, encoding="utf-8")
