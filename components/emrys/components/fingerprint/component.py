"""KFP component of the step fingerprint."""

from typing import Any

from kfp import dsl

from emrys.components.images import PREPROCESS_IMAGE


@dsl.component(base_image=PREPROCESS_IMAGE, install_kfp_package=False)
def fingerprint(dataset: str = "", recipe: dict[str, Any] = {}) -> str:  # noqa: B006 - KFP reads it once
    """Computes a fingerprint of the data, so that ingest runs again exactly when the data has changed.

    Args:
        dataset: A name, a path, a glob, `gs://bucket/folder` or `s3://bucket/folder`.
        recipe: The recipe; its data and side tables count instead of `dataset`.

    Returns:
        Output: The fingerprint.
    """
    from emrys.components.events import one_line_errors
    from emrys.components.fingerprint.step import run

    with one_line_errors("fingerprint"):
        return run(dataset, recipe)
