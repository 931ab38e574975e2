"""A Keras model that knows nothing of the library, as a user has one."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("own_model")
class Additive(keras.Model):
    """Numbers and lengths of lists added up; probabilities of three stars, and of a purchase."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plans = keras.layers.Embedding(50, 4)
        self.stars = keras.layers.Dense(3, activation="softmax")
        self.bought = keras.layers.Dense(1, activation="sigmoid")

    def build(self, input_shape: Any) -> None:
        """Builds the layers."""
        self.plans.build((None, 1))
        self.stars.build((None, 9))
        self.bought.build((None, 9))

    def call(self, features: dict[str, Any]) -> dict[str, Any]:
        """Two predictions by target."""
        lengths = tf.cast(features["tags"].row_lengths(), tf.float32)[:, None]
        prices = tf.reduce_mean(tf.concat([features["prices"], tf.zeros_like(lengths)], axis=1), axis=1, keepdims=True)
        plan = self.plans(features["plan"])[:, 0]
        hidden = tf.concat([plan, features["image"], lengths, tf.tanh(prices)], axis=1)
        return {"stars": self.stars(hidden), "bought": self.bought(hidden)}


def build(schema: Any, config: dict[str, Any]) -> keras.Model:
    """The function that a recipe names."""
    keras.utils.set_random_seed(3)
    return Additive()
