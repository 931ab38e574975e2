"""Artifact of the step evaluate_retrieval: an evaluation with the data that the export needs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Self

import pyarrow as pa
import pyarrow.parquet as pq

from emrys.blocks.retrieval.seen_items import SeenItems
from emrys.components.contracts.evaluation import Evaluation, EvaluationResult

#: Files for the export: the items that each user has seen, and the candidate items.
SEEN_ITEMS_FILE, CANDIDATES_FILE = "seen_items.parquet", "candidates.parquet"
#: Column of `CANDIDATES_FILE` with the raw id of the item.
KEY = "key"


class RetrievalEvaluation(Evaluation):
    """An evaluation of a retrieval model, with its candidates and the items that users have seen.

    Further files: `seen_items.parquet` (`SeenItems`: for each raw user id, the transformed ids of all items that the
    user has seen in any split) and `candidates.parquet` (the transformed columns of every candidate item, in the order
    of the ids, and `key`, its raw id).

    The metadata has `user` and `item` (columns of the ids), `unit` (`user`, or `session`, whose ids are then in
    `user`), `exclude_seen`, `search` (`strategy`: `exact` or `approximate`, `recall` and `index`), `config` (of the
    step) and `inputs` (fingerprints of the inputs).
    """

    required: ClassVar[tuple[str, ...]] = (*Evaluation.required, SEEN_ITEMS_FILE, CANDIDATES_FILE)

    @classmethod
    def write_with_candidates(
        cls,
        path: str | os.PathLike[str],
        result: EvaluationResult,
        report: str,
        metadata: Mapping[str, Any],
        *,
        candidates: pa.Table,
        seen_items: SeenItems,
    ) -> Self:
        """Writes an evaluation atomically, with the files for the export.

        Args:
            path: Folder of the artifact.
            result: The numbers.
            report: The HTML page.
            metadata: Metadata for the manifest.
            candidates: Transformed columns of the candidate items, and `key`.
            seen_items: Items that each user has seen.

        Returns:
            The artifact.
        """
        with cls.create(path, dict(metadata)) as folder:
            result.save(folder)
            (folder / "report.html").write_text(report, encoding="utf-8")
            seen_items.save(folder / SEEN_ITEMS_FILE)
            pq.write_table(candidates, folder / CANDIDATES_FILE, compression="zstd")
        return cls(path)

    @cached_property
    def candidates(self) -> pa.Table:
        """Transformed columns of the candidate items, and `key`."""
        return pq.read_table(self.path / CANDIDATES_FILE, partitioning=None)

    @cached_property
    def seen_items(self) -> SeenItems:
        """Items that each user has seen."""
        return SeenItems.load(self.path / SEEN_ITEMS_FILE)

    @property
    def user(self) -> str:
        """Column of the user id."""
        return str(self.metadata["user"])

    @property
    def item(self) -> str:
        """Column of the item id."""
        return str(self.metadata["item"])

    @property
    def by_session(self) -> bool:
        """Whether sessions ask, whose ids are in the column `user`."""
        return bool(self.metadata.get("unit") == "session")

    @property
    def exclude_seen(self) -> bool:
        """Whether items that were seen are no answers."""
        return bool(self.metadata.get("exclude_seen", True))

    @property
    def exact(self) -> bool:
        """Whether the search over the candidates was exact."""
        return bool(self.metadata["search"]["strategy"] == "exact")

    @property
    def config(self) -> dict[str, Any]:
        """Settings of the evaluation."""
        return dict(self.metadata["config"])
