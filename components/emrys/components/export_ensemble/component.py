"""KFP component of the step export_ensemble."""

from kfp import dsl

from emrys.components.images import SERVE_IMAGE


@dsl.component(base_image=SERVE_IMAGE, install_kfp_package=False)
def export_ensemble(
    model: dsl.Input[dsl.Model],
    workflow: dsl.Input[dsl.Artifact],
    schema: dsl.Input[dsl.Artifact],
    splits: dsl.Input[dsl.Dataset],
    repository: dsl.Output[dsl.Model],
    name: str = "ranking",
    require_server: bool = False,
) -> None:
    """Writes a Triton model repository that scores raw rows, and checks it against the offline path.

    Its output is `score` for one binary target or regression, `probabilities` for classes, and one named as each target
    for several. A Keras model of your own is saved as its graph, so that the server needs TensorFlow but not your
    module; its `call` must use operations of TensorFlow or `keras.ops` on the features, and no Python or NumPy on their
    values.

    Args:
        model: The trained model.
        workflow: The fitted workflow.
        schema: Schema of the transformed rows.
        splits: Raw rows; held-out rows go through both paths.
        name: Name of the ensemble.
        require_server: Whether a missing Triton server fails the step; otherwise the same code is checked in process.

    Returns:
        repository: The Triton model repository: transform, model, and the ensemble that chains them.
    """
    from pathlib import Path

    from emrys.components.events import one_line_errors
    from emrys.components.export_ensemble.config import ExportConfig
    from emrys.components.export_ensemble.step import run

    with one_line_errors("export_ensemble"):
        run(
            model=Path(model.path),
            workflow=Path(workflow.path),
            schema=Path(schema.path),
            splits=Path(splits.path),
            config=ExportConfig(name=name, require_server=require_server),
            output=Path(repository.path),
        )
