"""Implementation of the commands for the model registry: versions, promote, rollback."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from emrys.components.contracts.triton_repository import TritonRepository
from emrys.components.model_registry.registry import Registry
from emrys.components.model_registry.version import Pointer
from emrys.components.promote.step import parts_of_run
from emrys.pipelines.local.outcome import artifacts_of


def show_versions(root: str, name: str, *, tidy: bool, dry_run: bool) -> None:
    """Prints the versions, newest first."""
    registry = Registry(root, name)
    if tidy:
        left = registry.unfinished() if dry_run else registry.tidy()
        print(f"{'would remove' if dry_run else 'removed'} {len(left)} unfinished: {', '.join(left) or 'none'}")
    pointer, versions = registry.pointer(), registry.versions()
    if not versions:
        print(f"{registry.store.uri} has no versions yet.")
        return
    table = Table("", "version", "size", "facts", box=None, pad_edge=False)
    for version in reversed(versions):
        mark = "production" if pointer is not None and pointer.version == version.name else ""
        facts = ", ".join(
            f"{key} {value}" for key, value in sorted(version.facts.items()) if not isinstance(value, dict)
        )
        table.add_row(mark, version.name, f"{version.size / 1e6:.1f} MB", facts)
    Console(highlight=False, soft_wrap=True).print(table)


def promote(version: str, root: str, name: str | None, *, dry_run: bool) -> None:
    """Puts a version, or the model of a run, into production; by default under the name that it has in the run."""
    parts: dict[str, Path] = {}
    if Path(version).is_dir():
        parts, facts = parts_of_run(artifacts_of(Path(version)))
    registry = Registry(root, name or (TritonRepository(parts["repository"]).name if parts else "ranking"))
    before = registry.pointer()
    if parts:
        if dry_run:
            print(f"would add {', '.join(parts)} of {version} to {registry.store.uri}, and put them into production")
            return
        version = registry.add(parts, facts).name
    _print_change(registry, before, registry.promote(version, dry_run=dry_run), dry_run)


def rollback(root: str, name: str, *, dry_run: bool) -> None:
    """Puts the previous version back into production."""
    registry = Registry(root, name)
    before = registry.pointer()
    _print_change(registry, before, registry.rollback(dry_run=dry_run), dry_run)


def _print_change(registry: Registry, before: Pointer | None, after: Pointer, dry_run: bool) -> None:
    was = "none" if before is None else before.version
    if was == after.version:
        print(f"{registry.name}: {after.version} is in production already")
    else:
        print(f"{registry.name}: {'would go' if dry_run else 'went'} from {was} to {after.version}")
