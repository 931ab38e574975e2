"""KFP component of the step infer_schema."""

from typing import Any

from kfp import dsl

from emrys.components.images import PREPROCESS_IMAGE


@dsl.component(base_image=PREPROCESS_IMAGE, install_kfp_package=False)
def infer_schema(
    data: dsl.Input[dsl.Dataset],
    workflow: dsl.Input[dsl.Artifact],
    schema: dsl.Output[dsl.Artifact],
    overrides: dict[str, Any],
) -> None:
    """Infers the Merlin schema of the transformed data: dtypes, list lengths, cardinalities, tags and roles.

    Args:
        data: Transformed rows.
        workflow: The fitted workflow of the transformation.
        overrides: Overrides by column.

    Returns:
        schema: The schema as `schema.pbtxt`.
    """
    from pathlib import Path

    from emrys.components.events import one_line_errors
    from emrys.components.infer_schema.step import SchemaConfig, run

    with one_line_errors("infer_schema"):
        run(Path(data.path), Path(workflow.path), SchemaConfig(overrides=overrides), Path(schema.path))
