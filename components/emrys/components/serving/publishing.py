"""Publishing a model repository: it appears at its place only when it is whole and has passed the parity check."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from emrys.blocks.errors import ParityError
from emrys.components.contracts.triton_repository import TritonRepository
from emrys.components.events import emit
from emrys.components.serving.columns import Column
from emrys.components.serving.config import EnsembleConfig
from emrys.components.serving.parity import ParityResult


@dataclass(frozen=True)
class RepositoryDraft:
    """A model repository that is being written and not yet published; see `publish`.

    Attributes:
        models: Folder of the models, to be filled.
        folder: Folder of the repository.
        metadata: Metadata of the repository.
        step: Name of the pipeline step, for its events.
    """

    models: Path
    folder: Path
    metadata: dict[str, Any]
    step: str

    def write_readme(self, text: str) -> None:
        """Writes the page about the repository."""
        (self.folder / "README.md").write_text(text, encoding="utf-8")

    def report_comparison(self, rows: int) -> None:
        """Reports as progress that the parity check of so many rows begins."""
        emit(self.step, "progress", done=2, total=3, text=f"comparing {rows:,} rows with the offline path")

    def accept(self, inputs: Sequence[Column], parity: ParityResult, **metadata: Any) -> None:
        """Records that the repository passed the parity check; without this call it is not published.

        Args:
            inputs: Inputs of the ensemble.
            parity: Result of the check.
            **metadata: Further JSON values for the metadata of the repository.
        """
        self.metadata.update(metadata, inputs=[asdict(column) for column in inputs], parity=asdict(parity))
        text = f"{parity.rows:,} rows agree within {parity.max_abs_difference:.1e} ({parity.through})"
        emit(self.step, "progress", done=3, total=3, text=text)


@contextlib.contextmanager
def publish(step: str, config: EnsembleConfig, output: Path) -> Iterator[RepositoryDraft]:
    """Opens a draft, and publishes it at the end of the block if it was accepted.

    Args:
        step: Name of the pipeline step, for its events.
        config: Settings of the export.
        output: Destination of the repository; after an error it is as it was before.

    Yields:
        The draft to fill, compare and accept.

    Raises:
        ParityError: if the draft was not accepted.
    """
    metadata: dict[str, Any] = {"name": config.name, "version": config.version, "config": asdict(config)}
    with TritonRepository.create(output, metadata) as folder:
        draft = RepositoryDraft(models=folder / "models", folder=folder, metadata=metadata, step=step)
        draft.models.mkdir()
        emit(step, "progress", done=1, total=3, text="writing the model repository")
        yield draft
        if "parity" not in metadata:
            raise ParityError("the repository has not passed the parity check", path=output)
