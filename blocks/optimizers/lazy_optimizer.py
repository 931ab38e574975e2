"""The base of optimizers that read and write only the rows of a batch."""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf

from blocks.optimizers.row_gradients import clipped, mapped, rows_of, summed

_AT_A_TIME = os.cpu_count() or 1


@dataclass
class _State:
    """What an optimizer knows of its variables; an object of its own, since Keras takes attributes for its state."""

    variables: list[Any] = field(default_factory=list)
    slots: dict[str, list[Any]] = field(default_factory=dict)
    tables: set[int] = field(default_factory=set)  #: Places of the variables whose gradients name rows.
    not_decayed: list[Any] = field(default_factory=list)
    not_decayed_names: re.Pattern[str] | None = None


class LazyOptimizer(keras.optimizers.Optimizer):
    """Updates only those rows of an embedding table, and of what is remembered about it, that a batch looks up.

    A subclass says what is remembered of every weight (`slot_values`) and how a weight moves (`step`); both are the
    same for a whole variable and for some rows of one. A row that a batch looks up several times moves once, by the
    sum of its gradients.

    Clipping, loss scaling and learning-rate schedules are those of Keras. `weight_decay` reaches the rows of a table
    when they are looked up. What is about whole variables by its nature costs more the larger the tables are:
    `use_ema`, `gradient_accumulation_steps`, constraints and regularizers of a table, and training on several devices.

    Rows of large tables come from main memory, one here and one there. On Linux, pages of 2 MiB halve what that costs:
    start the program with `GLIBC_TUNABLES=glibc.malloc.hugetlb=1` in its environment, or with
    `/sys/kernel/mm/transparent_hugepage/enabled` set to `always`; `benchmarks/step_time.py` measures both.
    """

    def slot_values(self) -> dict[str, float]:
        """What is remembered of every weight, by name, with its first value."""
        return {}

    def step(self, gradient: Any, slots: dict[str, Any], learning_rate: Any) -> tuple[Any, dict[str, Any]]:
        """How weights move.

        Args:
            gradient: Gradient of the weights, any shape.
            slots: What is remembered of them, by name, of the same shape.
            learning_rate: The learning rate, a scalar.

        Returns:
            What is taken from the weights, and the new values of the slots by name.
        """
        raise NotImplementedError

    def build(self, variables: list[Any]) -> None:
        """Makes the slots for `variables`."""
        if self.built:
            return
        # Keras' own optimizer of the same kind may come next in line: its slots would be made beside these.
        keras.optimizers.Optimizer.build(self, variables)
        slots = {
            name: self.add_optimizer_variables(variables, name, initializer=keras.initializers.Constant(value))
            for name, value in self.slot_values().items()
        }
        known = self._known
        known.variables, known.slots = list(variables), slots

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
        done: list[Any] = []
        for gradient, variable in zip(gradients, variables, strict=True):
            # TensorFlow would take the first step for all tables, then the second, and so on, and have lost from its
            # caches what it needs next. So only as many tables as there are processors are under way at a time.
            with tf.control_dependencies(done[-_AT_A_TIME:][:1] if len(done) >= _AT_A_TIME else []):
                own = gradient if clips else self._scaled_back(summed(gradient))
                done.append(self._update(own, variable, self.learning_rate, self._decay_of(variable)))
        for variable in variables:
            if variable.constraint is not None:
                variable.assign(variable.constraint(variable))
        self.iterations.assign_add(1)

    def _scaled_back(self, gradient: Any) -> Any:
        scale = self.loss_scale_factor
        return gradient if scale is None else mapped(lambda values: values / scale, gradient)

    def _decay_of(self, variable: Any) -> float:
        known = self._known
        names = known.not_decayed_names
        excluded = any(variable is each for each in known.not_decayed) or (names and names.search(variable.name))
        return 0.0 if excluded else float(self.weight_decay or 0.0)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one variable; Keras calls it where whole tables are needed, and has decayed the weights then."""
        if self._get_variable_index(variable) in self._known.tables:
            gradient = rows_of(gradient)
        self._update(gradient, variable, learning_rate, 0.0)

    def _update(self, gradient: Any, variable: Any, learning_rate: Any, decay: float) -> Any:
        """Updates a variable and gives what is taken from its weights."""
        index = self._get_variable_index(variable)
        weights = _as_tf(variable)
        slots = {name: _as_tf(each[index]) for name, each in self._known.slots.items()}
        rate = tf.cast(learning_rate, weights.dtype)
        rows = gradient.indices if isinstance(gradient, tf.IndexedSlices) else None
        values = tf.cast(gradient if rows is None else gradient.values, weights.dtype)
        decrease, remembered = self.step(values, {name: _read(slot, rows) for name, slot in slots.items()}, rate)
        # Rows are read and written back as a whole, never added to in place: reading fetches them ahead of their use,
        # and adding to tables that the processor's caches cannot hold takes three times as long.
        old = _read(weights, rows)
        if decay:
            decrease += old * tf.cast(decay, weights.dtype) * rate
        _write(weights, rows, old - decrease)
        for name, value in remembered.items():
            _write(slots[name], rows, value)
        return decrease


def _as_tf(variable: Any) -> Any:
    return variable.value if isinstance(variable, keras.Variable) else variable


def _read(variable: Any, rows: Any) -> Any:
    return tf.convert_to_tensor(variable) if rows is None else tf.gather(variable, rows)


def _write(variable: Any, rows: Any, values: Any) -> None:
    if rows is None:
        variable.assign(values)
    else:
        variable.scatter_update(tf.IndexedSlices(values, rows))
