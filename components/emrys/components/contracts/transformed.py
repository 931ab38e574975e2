"""Artifact of the step preprocess: the transformed splits."""

from __future__ import annotations

from emrys.components.contracts.splits import SplitFiles


class Transformed(SplitFiles):
    """`train.parquet`, `valid.parquet` and `test.parquet`: features and targets, row by row as in the raw splits.

    `data_schema.json` is that of the splits. `items.parquet` is there if the splits have a catalogue: the features of
    each of its items, row by row.

    Metadata: `rows` of every split, `columns` (features), `targets`, `splits` and `workflow` (fingerprints of its
    inputs).

    Args:
        path: The folder.

    Raises:
        ArtifactError: if the folder does not fit.
    """

    kind = "transformed"
