"""Reports of the epochs: TensorBoard event files, and an MLflow server."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import tensorflow as tf

from emrys.blocks.errors import DependencyError, EmrysError
from emrys.components.events import emit
from emrys.components.train.config import STEP


class Report(Protocol):
    """Takes the metrics of an epoch."""

    def __call__(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Reports the metrics of an epoch, by name; those of the valid split begin with `val_`."""


def write_event_files(folder: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """Writes the losses and metrics of all epochs for TensorBoard, as the runs `train` and `valid`.

    Args:
        folder: Folder of the runs.
        history: One entry an epoch: `epoch`, and losses and metrics by name.
    """
    # `tf.summary.scalar` would need TensorBoard itself.
    scalar = tf.compat.v1.SummaryMetadata(
        plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"), data_class="DATA_CLASS_SCALAR"
    )
    for run, prefix in (("train", ""), ("valid", "val_")):
        writer = tf.summary.create_file_writer(str(folder / run))
        with writer.as_default():
            for entry in history:
                for name, value in entry.items():
                    if name != "epoch" and name.startswith("val_") == bool(prefix):
                        number = tf.constant(value, tf.float32)
                        tf.summary.write(name.removeprefix(prefix), number, int(entry["epoch"]), metadata=scalar)
        writer.close()


@contextmanager
def tracked(address: str, settings: Mapping[str, Any]) -> Iterator[Report | None]:
    """A run on an MLflow server, within the `with` block.

    Args:
        address: Address of the server; empty for none.
        settings: Settings of the model and of the training, parameters of the run.

    Yields:
        What takes the metrics of each epoch; None without an address.

    Raises:
        DependencyError: if MLflow is not installed.
        EmrysError: if the server does not answer at the beginning.
    """
    if not address:
        yield None
        return
    try:
        import mlflow  # heavy and optional
    except ImportError:
        raise DependencyError(
            "train.tracking needs MLflow, which is not installed", step=STEP, fix="Install emrys[tracking]."
        ) from None
    try:
        client = mlflow.MlflowClient(tracking_uri=address)
        experiment = client.get_experiment_by_name("emrys")
        number = client.create_experiment("emrys") if experiment is None else experiment.experiment_id
        run = client.create_run(number).info.run_id
        for name, value in settings.items():
            client.log_param(run, name, value)
    except mlflow.exceptions.MlflowException as error:
        raise _failed(address, error) from error

    def sent(call: Callable[[], object]) -> None:
        # A server that stops answering must not end a training of hours.
        try:
            call()
        except mlflow.exceptions.MlflowException as error:
            emit(STEP, "message", text=str(_failed(address, error)))

    def report(epoch: int, metrics: Mapping[str, float]) -> None:
        for name, value in metrics.items():
            sent(functools.partial(client.log_metric, run, name.replace("@", "_at_"), value, step=epoch))

    try:
        yield report
    except BaseException:
        sent(functools.partial(client.set_terminated, run, "FAILED"))
        raise
    sent(functools.partial(client.set_terminated, run, "FINISHED"))


def _failed(address: str, error: Exception) -> EmrysError:
    first_line = (str(error).strip().splitlines() or [""])[0]
    return EmrysError("the tracking server cannot be used", step=STEP, path=address, got=first_line,
                      fix="Check train.tracking in the recipe.")  # fmt: skip
