"""The artifact of the step preprocess: the splits after the workflow."""

from __future__ import annotations

from emrys.components.contracts.splits import SplitFiles


class Transformed(SplitFiles):
    """`train.parquet`, `valid.parquet` and `test.parquet`: features and targets, row by row those of the splits.

    Metadata: `rows` of every split, `columns` (features), `targets`, `splits` and `workflow` (fingerprints of what it
    was made from and with).

    Args:
        path: The folder.

    Raises:
        ArtifactError: if the folder does not fit.
    """

    kind = "transformed"
