"""Callbacks that programs for Merlin Models use."""

from __future__ import annotations

import itertools
import logging

import keras
import numpy as np
import pyarrow as pa
import pytest
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm

SCHEMA = Schema(
    [
        ColumnSchema("x", dtype="float32", tags=[Tags.CONTINUOUS]),
        ColumnSchema("y", dtype="float32", tags=[Tags.TARGET, Tags.REGRESSION]),
    ]
)


def _loader(rows, offset):
    """Rows whose target is x + `offset`."""
    x = np.arange(rows, dtype="float32")
    return mm.Loader(pa.table({"x": x, "y": x + np.float32(offset)}), 4, schema=SCHEMA, shuffle=False)


def _identity():
    model = mm.Model(mm.Filter("x"), mm.ConcatFeatures(), mm.RegressionOutput("y"))
    model.build({"x": (None, 1)})
    model.set_weights([np.ones((1, 1)), np.zeros(1)])
    model.compile(keras.optimizers.SGD(0.0))
    return model


@pytest.mark.slow
def test_the_validator_adds_the_metrics_of_its_rows():
    validator = mm.KerasSequenceValidator(_loader(6, offset=3.0))
    history = _identity().fit(_loader(8, offset=1.0), epochs=2, callbacks=[validator], verbose=0).history
    assert history["root_mean_squared_error"] == pytest.approx([1.0, 1.0])
    assert history["val_root_mean_squared_error"] == pytest.approx([3.0, 3.0])
    assert history["val_loss"] == pytest.approx([9.0, 9.0])


class TestExamplesPerSecond:
    class Log:
        def __init__(self):
            self.values = []

        def log(self, values):
            self.values.append(values)

    def test_by_hand(self, caplog):
        log = self.Log()
        # batches end at 0, 2, 4, 5, 6, and the training at 10
        times = iter([0.0, 2.0, 4.0, 5.0, 6.0, 10.0])
        callback = mm.ExamplesPerSecondCallback(
            4, every_n_steps=2, logger=log, log_to_console=True, clock=lambda: next(times)
        )
        assert callback.get_train_batches_mean_of_avg_examples_per_sec() == 0.0
        with caplog.at_level(logging.DEBUG, "emrys.blocks.utils.examples_per_second"):
            _identity().fit(_loader(20, offset=1.0), callbacks=[callback], verbose=0)
        # two batches of four rows in 4 s; then two in 2 s, and four in 6 s on the whole
        assert log.values == [
            {"current_examples_per_sec": 2.0, "average_examples_per_sec": 2.0},
            {"current_examples_per_sec": 4.0, "average_examples_per_sec": pytest.approx(16 / 6)},
        ]
        assert callback.get_train_batches_mean_of_avg_examples_per_sec() == pytest.approx(16 / 10)
        assert "4.00 examples/s, average 2.67" in caplog.text

    def test_a_second_training_counts_anew(self):
        clock = itertools.count().__next__
        callback = mm.ExamplesPerSecondCallback(4, clock=lambda: float(clock()))
        model = _identity()
        for _ in range(2):
            model.fit(_loader(12, offset=1.0), callbacks=[callback], verbose=0)
            # a batch each second, and the last measurement a second later: 2 * 4 / 3
            assert callback.get_train_batches_mean_of_avg_examples_per_sec() == pytest.approx(8 / 3)

    def test_one_batch_is_no_measurement(self):
        callback = mm.ExamplesPerSecondCallback(4)
        _identity().fit(_loader(4, offset=1.0), callbacks=[callback], verbose=0)
        assert callback.get_train_batches_mean_of_avg_examples_per_sec() == 0.0


def test_the_baseline_by_its_module():
    assert mm.benchmark.NCFModel is mm.NCFModel
