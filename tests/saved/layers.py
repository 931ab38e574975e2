"""Layers that some saved models hold beside those of `blocks`, made of public names alone."""

from __future__ import annotations

import keras

import emrys.blocks as mm


@keras.saving.register_keras_serializable("emrys-saved")
class IsPositive(keras.layers.Layer):
    """Whether the sum of a batch is positive."""

    def call(self, inputs):
        return keras.ops.sum(inputs) > 0.0


@keras.saving.register_keras_serializable("emrys-saved")
class ScoredWithIds(mm.Block):
    """Scores pairs of vectors by an `ItemRetrievalScorer` that knows the ids of the items."""

    def __init__(self, scorer, **kwargs):
        super().__init__(**kwargs)
        self.scorer = scorer

    def build(self, input_shape):
        self.built = True

    def call(self, inputs):
        pairs = {name: inputs[name] for name in ("query", "item")}
        return self.scorer.call_outputs(
            mm.PredictionOutput(pairs, {}), features={"item_id": inputs["item_id"]}, training=True
        ).predictions

    def get_config(self):
        return {**super().get_config(), "scorer": keras.saving.serialize_keras_object(self.scorer)}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "scorer": keras.saving.deserialize_keras_object(config["scorer"])})
