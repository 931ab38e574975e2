"""Training, judging and predicting with outputs."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras

from emrys.blocks.core.traversal import layers_inside
from emrys.blocks.errors import ConfigError
from emrys.blocks.loader import Loader
from emrys.blocks.models.batches import all_rows, batches, split_off, with_class_weights
from emrys.blocks.models.plain_summary import plain_summary
from emrys.blocks.models.stepping_model import SteppingModel
from emrys.blocks.sequences.sequence_transform import SequenceTransform

if TYPE_CHECKING:
    from merlin.io import Dataset


@keras.saving.register_keras_serializable("emrys")
class BaseModel(SteppingModel):
    """A Keras model with outputs, which say what is compared, by which loss and which metrics.

    `fit`, `evaluate` and `predict` are those of Keras; they take a `Loader`, a `merlin.io.Dataset` or a folder of
    Parquet besides. A subclass has a `call`, and says what its `model_outputs` are.

    Args:
        **kwargs: The arguments of `keras.Model`.
    """

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
        train_metrics_steps: int = 1,
        pre: keras.layers.Layer | None = None,
    ) -> Any:
        """Trains the model: `keras.Model.fit` on a `Loader`, a `Dataset`, Parquet files or what Keras takes.

        Args:
            x: The data, see `emrys.blocks.models.batches`.
            y: Targets, where `x` holds the features alone.
            batch_size: Rows of a batch, for what is not batched yet.
            epochs: Number of the last epoch.
            verbose: What is printed: `"auto"`, 0, 1 or 2.
            callbacks: Callbacks of Keras.
            validation_split: Share of the rows, the last ones, to judge by after each epoch, where all are in memory.
            validation_data: Data to judge by after each epoch, of any kind that `x` can be. It goes through `pre` too.
            shuffle: Whether rows are shuffled, where the batches are made here.
            class_weight: Weight of each class in the loss, where there is one target.
            sample_weight: Weights of the rows, where all are in memory.
            initial_epoch: Number of the first epoch, from 0.
            steps_per_epoch: Batches of an epoch. Default: all.
            validation_steps: Batches to judge by. Default: all.
            validation_batch_size: Rows of a batch of `validation_data`. Default: `batch_size`.
            validation_freq: After how many epochs the model is judged.
            train_metrics_steps: Metrics of training are computed for the first batch of an epoch and every so many
                batches after it; 0 for never. The loss is that of all batches. Default: 1.
            pre: Layer that batches go through before they reach the model, whose part it does not become: called with
                the features, `targets` and `training` (`testing`), it gives other features, or a `Prediction` of
                features, targets and weights. Default: none.

        Returns:
            The history of losses and metrics.

        Raises:
            ConfigError: if an argument has a value that cannot be, or needs rows in memory and has none.
            DataError: if a file turns out to be damaged while it is read.
        """
        if not isinstance(train_metrics_steps, int) or train_metrics_steps < 0:
            raise ConfigError("fit: train_metrics_steps", expected="a number from 0", got=repr(train_metrics_steps))
        if train_metrics_steps != self._metrics_steps:
            self._metrics_steps = train_metrics_steps
            self._forget_steps()  # the step is compiled with the number in it
        if validation_split and validation_data is None:
            x, validation_data = split_off(all_rows(x, y, sample_weight), validation_split)
            y = sample_weight = None
        kwargs: dict[str, Any] = {}
        with contextlib.ExitStack() as open_:
            options: dict[str, Any] = {"schema": self.schema, "pre": pre}
            data = open_.enter_context(
                batches(x, y, sample_weight=sample_weight, batch_size=batch_size, shuffle=shuffle, **options)
            )
            if class_weight is not None:
                data = with_class_weights(data, class_weight)
            if validation_data is not None:
                size = validation_batch_size or batch_size
                kwargs["validation_data"] = open_.enter_context(batches(validation_data, batch_size=size, **options))
            for transform in self._sequence_transforms(pre, x):
                transform.configure_for_train()
            open_.enter_context(self._through(pre, data))
            # The rows are shuffled by whoever makes the batches; Keras would only warn that it cannot.
            return super().fit(
                data,
                shuffle=False,
                epochs=epochs,
                verbose=verbose,
                callbacks=callbacks,
                initial_epoch=initial_epoch,
                steps_per_epoch=steps_per_epoch,
                validation_steps=validation_steps,
                validation_freq=validation_freq,
                **kwargs,
            )

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = 1,
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        pre: keras.layers.Layer | None = None,
        **kwargs: Any,
    ) -> Any:
        """Judges the model: `keras.Model.evaluate`, on what `fit` takes.

        Args:
            x: The data, see `fit`.
            y: Targets, where `x` holds the features alone.
            batch_size: Rows of a batch, for what is not batched yet.
            verbose: What is printed: `"auto"`, 0, 1 or 2.
            sample_weight: Weights of the rows, where all are in memory.
            steps: Batches to judge by. Default: all.
            callbacks: Callbacks of Keras.
            return_dict: Whether to give a dictionary by name instead of a list.
            pre: Layer that batches go through first, see `fit`.
            **kwargs: What Keras hands over when it judges the model between two epochs.

        Returns:
            The loss and the metrics.
        """
        for transform in self._sequence_transforms(pre, x):
            transform.configure_for_test()
        with (
            batches(x, y, sample_weight=sample_weight, batch_size=batch_size, schema=self.schema, pre=pre) as data,
            self._through(pre, data),
        ):
            return super().evaluate(
                data, verbose=verbose, steps=steps, callbacks=callbacks, return_dict=return_dict, **kwargs
            )

    def summary(
        self,
        line_length: int | None = None,
        positions: list[float] | None = None,
        print_fn: Any = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: list[str] | None = None,
    ) -> None:
        """Prints the model's layers, as `keras.Model.summary` does, with its arguments."""
        try:
            super().summary(line_length, positions, print_fn, expand_nested, show_trainable, layer_range)
        except KeyError:  # Keras before 3.13 cannot show a layer whose only output has a name
            for line in plain_summary(self):
                (print_fn or print)(line)

    def _sequence_transforms(self, pre: Any, x: Any) -> list[SequenceTransform]:
        """The transforms that make targets of sequences: ahead of the model, in the loader, and inside."""
        loaded = x.transforms if isinstance(x, Loader) else ()
        layers = [each for each in (pre, *loaded, self) if isinstance(each, keras.layers.Layer)]
        return [layer for layer in layers_inside(layers) if isinstance(layer, SequenceTransform)]

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = 0,
        steps: int | None = None,
        callbacks: Any = None,
        pre: keras.layers.Layer | None = None,
    ) -> Any:
        """Predicts for every row: `keras.Model.predict`, on what `fit` takes.

        Args:
            x: The data, see `fit`.
            batch_size: Rows of a batch, for what is not batched yet.
            verbose: What is printed: `"auto"`, 0, 1 or 2.
            steps: Batches to predict for. Default: all.
            callbacks: Callbacks of Keras.
            pre: Layer that batches go through first, see `fit`.

        Returns:
            What the model gives for all rows, as arrays.
        """
        with batches(x, batch_size=batch_size, schema=self.input_schema, pre=pre) as data, self._through(pre, data):
            return super().predict(data, verbose=verbose, steps=steps, callbacks=callbacks)

    def batch_predict(self, dataset: Dataset, batch_size: int, **kwargs: Any) -> Dataset:
        """The rows of a data set with the predictions beside them.

        Args:
            dataset: A `merlin.io.Dataset`.
            batch_size: Rows of a batch.
            **kwargs: The arguments of `predict`.

        Returns:
            A `merlin.io.Dataset` with one column more for each output, by its task name; lists of numbers where an
            output gives several a row. It is computed when it is read, part by part.

        Raises:
            ConfigError: if `dataset` is something else.
        """
        from emrys.blocks.models.prediction_columns import with_predictions

        return with_predictions(self, dataset, batch_size, kwargs)
