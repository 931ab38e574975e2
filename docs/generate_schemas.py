"""Writes the JSON Schemas of the configuration files into docs/schemas: `python docs/generate_schemas.py`."""

from __future__ import annotations

from pathlib import Path

from emrys.pipelines.config.config_schema import schema_text
from emrys.pipelines.spec import PIPELINES

FOLDER = Path(__file__).parent / "schemas"


def files() -> dict[str, str]:
    """What stands in the folder, by name."""
    return {f"{name}.schema.json": schema_text(name) for name in PIPELINES}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.json"):
        old.unlink()
    for file, text in files().items():
        (FOLDER / file).write_text(text, encoding="utf-8")
