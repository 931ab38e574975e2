"""Models of a user's own, as a recipe names them."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("shop")
class Levels(keras.Model):
    """A level for each visitor and each good."""

    def __init__(self, visitors, goods, activation="sigmoid", targets=(), **kwargs):
        super().__init__(**kwargs)
        self.sizes = (visitors, goods)
        self.activation = activation
        self.targets = list(targets)
        self.tables = [keras.layers.Embedding(size, 1) for size in self.sizes]
        self.heads = [keras.layers.Dense(1, activation=activation) for _ in self.targets or [None]]

    def build(self, input_shape):
        for table in self.tables:
            table.build((None, 1))
        for head in self.heads:
            head.build((None, 2))

    def call(self, inputs):
        levels = [table(inputs[name])[:, 0] for table, name in zip(self.tables, ("visitor", "sku"), strict=True)]
        found = [head(tf.concat(levels, axis=1)) for head in self.heads]
        return dict(zip(self.targets, found, strict=True)) if self.targets else found[0]

    def get_config(self):
        visitors, goods = self.sizes
        own = {"visitors": visitors, "goods": goods, "activation": self.activation, "targets": self.targets}
        return {**super().get_config(), **own}


def build(schema, config):
    """A model with the number of ids of the schema."""
    visitors, goods = (int(schema[name].int_domain.max) + 1 for name in ("visitor", "sku"))
    return Levels(visitors, goods, **config)


class NotRegistered(Levels):
    """Keras cannot find it in a file."""

    def get_config(self):
        raise NotImplementedError("no configuration")


def not_registered(schema, config):
    return NotRegistered(40, 40)


def no_model(schema, config):
    return config


def failing(schema, config):
    return schema["colour"].name


def infinite(schema, config):
    class Infinite(keras.Model):
        def call(self, inputs):
            return inputs["price"] / 0.0

    return Infinite()


def wide(schema, config):
    class Wide(keras.Model):
        def call(self, inputs):
            return tf.concat([inputs["price"]] * 2, axis=1)

    return Wide()
