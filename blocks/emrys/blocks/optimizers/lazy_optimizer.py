"""The base of optimizers that read and write only the rows of a batch."""

from __future__ import annotations

import math
import os
import re
import warnings
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from emrys.blocks.core.gather import read_rows
from emrys.blocks.core.huge_pages import prefer_huge_pages
from emrys.blocks.optimizers.row_gradients import clipped, mapped, rows_of, summed

_AT_A_TIME = os.cpu_count() or 1


@dataclass
class _State:
    """What an optimizer knows of its variables; an object of its own, since Keras takes attributes for its state."""

    variables: list[Any] = field(default_factory=list)
    slots: list[Any] = field(default_factory=list)  #: One for each variable, if weights are remembered at all.
    tables: set[int] = field(default_factory=set)  #: Places of the variables whose gradients name rows.
    not_decayed: list[Any] = field(default_factory=list)
    not_decayed_names: re.Pattern[str] | None = None


class LazyOptimizer(keras.optimizers.Optimizer):
    """Updates only those rows of an embedding table, and of what is remembered about it, that a batch looks up.

    A subclass says what is remembered of every weight (`slot_values`) and how a weight moves (`step`); both are the
    same for a whole variable and for some rows of one. A row that a batch looks up several times moves once, by the
    sum of its gradients. All that is remembered of a row lies side by side, so that it is fetched from memory once.

    Clipping, loss scaling and learning-rate schedules are those of Keras. `weight_decay` reaches the rows of a table
    when they are looked up. What is about whole variables by its nature costs more the larger the tables are:
    `use_ema`, `gradient_accumulation_steps`, constraints and regularizers of a table, and training on several devices.

    Rows of large tables come from main memory, one here and one there. What is remembered of them is kept in pages of
    2 MiB, as `EmbeddingTable` keeps its rows, where Linux gives such pages (`prefer_huge_pages`).
    """

    def slot_values(self) -> tuple[float, ...]:
        """First values of what is remembered of every weight."""
        return ()

    def rate(self, learning_rate: Any) -> Any:
        """What `step` is given as its rate: the learning rate, and what else is the same for all weights of a step."""
        return learning_rate

    def step(self, gradient: Any, slots: Any, rate: Any) -> tuple[Any, Any]:
        """How weights move.

        Args:
            gradient: Gradient of N rows of D weights, (N, D).
            slots: What is remembered of them, (N, slots x D): in each row the first slot of all its weights, then the
                second. None where there are no slots.
            rate: What `rate` gave, a scalar.

        Returns:
            What is taken from the weights, (N, D), and the new slots.
        """
        raise NotImplementedError

    def build(self, variables: list[Any]) -> None:
        """Makes the slots for `variables`."""
        if self.built:
            return
        # Keras' own optimizer of the same kind may come next in line: its slots would be made beside these.
        keras.optimizers.Optimizer.build(self, variables)
        self._known.variables = list(variables)
        if self.slot_values():
            self._known.slots = [self._slots_of(variable) for variable in variables]

    def _slots_of(self, variable: Any) -> Any:
        values, width = self.slot_values(), _width(variable)
        # Not while a step is traced: the memory must be there to be asked for.
        with tf.init_scope(), tf.distribute.get_strategy().extended.colocate_vars_with(_as_tf(variable)):
            slots = self.add_variable(
                (variable.shape[0] if len(variable.shape) else 1, len(values) * width),
                keras.initializers.Constant(np.repeat(values, width)),
                dtype=variable.dtype,
                name=f"{variable.path.replace('/', '_')}_slots",
            )
            prefer_huge_pages(slots)
        return slots

    @property
    def _known(self) -> _State:
        if "_state" not in vars(self):
            self._state = _State()
        return self._state

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """Leaves variables out of the weight decay: those listed, and those whose names hold one of `var_names`."""
        super().exclude_from_weight_decay(var_list, var_names)
        self._known.not_decayed = list(var_list or [])
        self._known.not_decayed_names = re.compile("|".join(sorted(set(var_names)))) if var_names else None

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Updates the variables.

        Args:
            grads: Their gradients; None where there is none.
            trainable_variables: The variables. Default: those that the optimizer was built with.
        """
        if trainable_variables is not None and not self.built:
            self.build(list(trainable_variables))
        variables = list(self._known.variables if trainable_variables is None else trainable_variables)
        for gradient, variable in zip(grads, variables, strict=True):
            if isinstance(gradient, tf.IndexedSlices):
                self._known.tables.add(self._get_variable_index(variable))
        if self._needs_whole_tables(variables):
            super().apply([None if each is None else tf.convert_to_tensor(each) for each in grads], variables)
            return
        found = [pair for pair in zip(grads, variables, strict=True) if pair[0] is not None]
        if not found:
            raise ValueError("No gradients provided for any variable.")
        if len(found) < len(variables):
            missing = [variable.path for gradient, variable in zip(grads, variables, strict=True) if gradient is None]
            warnings.warn(f"no gradients reach {', '.join(missing)}: the loss does not depend on them", stacklevel=2)
        self._apply_rows([gradient for gradient, _ in found], [variable for _, variable in found])

    def _needs_whole_tables(self, variables: list[Any]) -> bool:
        return bool(
            self.use_ema
            or self.gradient_accumulation_steps
            or tf.distribute.get_strategy().num_replicas_in_sync > 1
            or any(getattr(variable, "overwrite_with_gradient", False) for variable in variables)
        )

    def _apply_rows(self, gradients: list[Any], variables: list[Any]) -> None:
        clips = self.clipnorm or self.global_clipnorm or self.clipvalue
        if clips:  # which may need the norm of all gradients
            gradients = [self._scaled_back(summed(gradient)) for gradient in gradients]
            gradients = clipped(gradients, self.clipnorm, self.global_clipnorm, self.clipvalue)
        rate = self.rate(self.learning_rate)
        written: list[list[Any]] = []
        for gradient, variable in zip(gradients, variables, strict=True):
            # TensorFlow would take the first step for all tables, then the second, and so on, and have lost from its
            # caches what it needs next. So only as many tables as there are processors are under way at a time, from
            # reading their rows to writing them.
            is_table = isinstance(gradient, tf.IndexedSlices)
            with tf.control_dependencies(written[-_AT_A_TIME] if is_table and len(written) >= _AT_A_TIME else []):
                own = gradient if clips else self._scaled_back(summed(gradient))
                operations = self._update(own, variable, rate, self._decay_of(variable))
            if is_table:
                written.append(operations)
        for variable in variables:
            if variable.constraint is not None:
                variable.assign(variable.constraint(variable))
        self.iterations.assign_add(1)

    def _scaled_back(self, gradient: Any) -> Any:
        scale = self.loss_scale_factor
        return gradient if scale is None else mapped(lambda values: values / scale, gradient)

    def _decay_of(self, variable: Any) -> Any:
        """The share of the weights that decays in a step; None if none does."""
        known = self._known
        names = known.not_decayed_names
        excluded = any(variable is each for each in known.not_decayed) or (names and names.search(variable.name))
        return None if excluded or not self.weight_decay else self.weight_decay * self.learning_rate

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one variable; Keras calls it where whole tables are needed, and has decayed the weights then."""
        if self._get_variable_index(variable) in self._known.tables:
            gradient = rows_of(gradient)
        self._update(gradient, variable, self.rate(learning_rate), None)

    def _update(self, gradient: Any, variable: Any, rate: Any, decay: Any) -> list[Any]:
        """Updates a variable and gives the operations that write rows; outside of graphs there are none."""
        weights = _as_tf(variable)
        rows = gradient.indices if isinstance(gradient, tf.IndexedSlices) else None
        values = tf.cast(gradient if rows is None else gradient.values, weights.dtype)
        slots = _as_tf(self._known.slots[self._get_variable_index(variable)]) if self._known.slots else None
        remembered = None if slots is None else _read(slots, rows)
        flat = tf.reshape(values, [-1, _width(variable)])
        decrease, remembered = self.step(flat, remembered, tf.cast(rate, weights.dtype))
        decrease = tf.reshape(decrease, tf.shape(values))
        # Rows are read and written back as a whole, never added to in place: reading fetches them ahead of their use,
        # and adding to tables that the processor's caches cannot hold takes three times as long.
        old = _read(weights, rows)
        new = old - decrease if decay is None else old - decrease - old * tf.cast(decay, weights.dtype)
        return _write(weights, rows, new) + ([] if slots is None else _write(slots, rows, remembered))


def _width(variable: Any) -> int:
    """Weights in a row: all of a variable without rows."""
    return math.prod(variable.shape[1:])


def _as_tf(variable: Any) -> Any:
    return variable.value if isinstance(variable, keras.Variable) else variable


def _read(variable: Any, rows: Any) -> Any:
    return tf.convert_to_tensor(variable) if rows is None else read_rows(variable, rows)


def _write(variable: Any, rows: Any, values: Any) -> list[Any]:
    """Writes a variable or some rows of it; gives the operation for those, outside of graphs there is none."""
    if rows is None:
        variable.assign(values)
        return []
    written = variable.scatter_update(tf.IndexedSlices(values, rows))
    return [] if tf.executing_eagerly() else [written.op]
