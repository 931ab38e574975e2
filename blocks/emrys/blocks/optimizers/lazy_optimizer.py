"""Base class of optimizers that read and write only the rows of a batch."""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypedDict

import keras
import numpy as np
import tensorflow as tf

from emrys.blocks.core.gather import read_rows, sum_duplicate_rows
from emrys.blocks.optimizers.row_gradients import clip_gradients, map_values, nonzero_rows

#: Learning rate of an optimizer: a number, a schedule, or a function without arguments.
LearningRate: TypeAlias = "float | keras.optimizers.schedules.LearningRateSchedule | Callable[[], float]"

#: A variable of Keras or of TensorFlow.
AnyVariable: TypeAlias = "keras.Variable | tf.Variable"

#: A gradient: dense, or some rows of a table; None where the loss does not depend on the variable.
Gradient: TypeAlias = "tf.Tensor | tf.IndexedSlices | None"


class OptimizerArguments(TypedDict, total=False):
    """The arguments of `keras.optimizers.Optimizer` that the constructors of optimizers pass on."""

    weight_decay: float | None
    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    gradient_accumulation_steps: int | None


#: Number of tables that are updated at the same time.
_TABLES_AT_A_TIME = os.cpu_count() or 1


@dataclass
class _State:
    """Variables of an optimizer and their slots, in one object so that Keras does not track them as its own state."""

    variables: list[keras.Variable] = field(default_factory=list)
    indices: dict[int, int] = field(default_factory=dict)  #: Index in `variables` by `id` of the `tf.Variable`.
    slots: list[keras.Variable] = field(default_factory=list)  #: One for each variable; empty without slots.
    averages: list[keras.Variable] = field(default_factory=list)  #: One for each variable; empty without `use_ema`.
    tables: set[int] = field(default_factory=set)  #: Indices of the variables with sparse gradients.
    not_decayed: list[keras.Variable] = field(default_factory=list)
    not_decayed_names: re.Pattern[str] | None = None


class LazyOptimizer(keras.optimizers.Optimizer):
    """Optimizer that updates only the rows of an embedding table, and of its slots, that a batch looks up.

    A subclass defines the initial slot values of a weight (`slot_values`) and the update rule (`step`); both apply to
    whole variables and to some rows of one. A row that a batch looks up several times is updated once, with the sum of
    its gradients. All slots of a row are stored side by side, so that they are read from memory together.

    Clipping, loss scaling and learning-rate schedules are those of Keras. `weight_decay` is applied to the rows of a
    table when they are looked up. `use_ema` gives the averages of Keras, but a step reads and writes only those of the
    batch's rows: for each row it keeps the difference of the average to the weights, which shrinks by `ema_momentum` in
    every step without the row, and the step of its last update. Options that concern whole variables take time that
    grows with the tables: `ema_overwrite_frequency`, `gradient_accumulation_steps`, constraints and regularizers of a
    table, and training on several devices.
    """

    use_ema: bool

    #: Gradients may hold a row several times.
    sums_duplicate_rows = True

    def slot_values(self) -> tuple[float, ...]:
        """Initial values of the slots of a weight, one for each slot."""
        return ()

    def rate(self, learning_rate: tf.Tensor) -> Any:
        """The rate that is passed to `step`: the learning rate times factors that are equal for all weights."""
        return learning_rate

    def step(self, gradient: tf.Tensor, slots: tf.Tensor, rate: tf.Tensor) -> tuple[Any, Any]:
        """Computes the update of some rows.

        Args:
            gradient: Gradient of N rows of D weights, (N, D).
            slots: Their slots, (N, slots x D): in each row the first slot of all weights, then the second. None if the
                optimizer has no slots.
            rate: Result of `rate`, a scalar.

        Returns:
            The decrease of the weights, (N, D), and the new slots.
        """
        raise NotImplementedError

    def build(self, variables: list[AnyVariable]) -> None:
        """Creates the slots for `variables`."""
        if self.built:
            return
        # Not `super().build`: in a subclass that is the Keras optimizer of the same name, which would add its slots.
        # And without `use_ema`, for which it would add an average of every row.
        use_ema, by_rows = self.use_ema, self.use_ema and not self._needs_whole_averages(variables)
        self.use_ema = use_ema and not by_rows
        keras.optimizers.Optimizer.build(self, variables)
        self.use_ema = use_ema
        self._known.variables = list(variables)
        for index, variable in enumerate(variables):
            value = _as_tf(variable)
            # On several devices, `update_step` gets the variable of one of them.
            for local in (value, *tf.distribute.get_strategy().experimental_local_results(value)):
                self._known.indices[id(local)] = index
        if self.slot_values():
            self._known.slots = [self._create_slots(variable) for variable in variables]
        if by_rows:
            self._known.averages = [
                self._create_rows(variable, [0.0] * (_width(variable) + 1), "average", "float32")
                for variable in variables
            ]

    def _needs_whole_averages(self, variables: list[Any]) -> bool:
        return bool(
            self.ema_overwrite_frequency
            or self.gradient_accumulation_steps
            or tf.distribute.get_strategy().num_replicas_in_sync > 1
            or any(getattr(each, "constraint", None) is not None for each in variables)
            or any(getattr(each, "overwrite_with_gradient", False) for each in variables)
        )

    def _index(self, variable: keras.Variable | tf.Variable) -> int:
        return self._known.indices[id(_as_tf(variable))]

    def _create_slots(self, variable: keras.Variable) -> keras.Variable:
        values = np.repeat(self.slot_values(), _width(variable))
        return self._create_rows(variable, values, "slots", tf.as_dtype(variable.dtype).name)

    def _create_rows(self, variable: keras.Variable, values: Any, what: str, dtype: str) -> keras.Variable:
        """Creates a variable with one row, initially `values`, for each row of `variable`."""
        # Created eagerly, also while a step is traced.
        with tf.init_scope(), tf.distribute.get_strategy().extended.colocate_vars_with(_as_tf(variable)):
            return self.add_variable(
                (variable.shape[0] if len(variable.shape) else 1, len(values)),
                keras.initializers.Constant(np.asarray(values)),
                dtype=dtype,
                name=f"{_path(variable).replace('/', '_').replace(':', '_')}_{what}",
            )

    @property
    def _known(self) -> _State:
        if "_state" not in vars(self):
            self._state = _State()
        return self._state

    def exclude_from_weight_decay(
        self, var_list: list[keras.Variable] | None = None, var_names: list[str] | None = None
    ) -> None:
        """Excludes variables from weight decay: those in `var_list`, and those whose names contain a `var_names`."""
        super().exclude_from_weight_decay(var_list, var_names)
        self._known.not_decayed = list(var_list or [])
        self._known.not_decayed_names = re.compile("|".join(sorted(set(var_names)))) if var_names else None

    def apply(self, grads: list[Gradient], trainable_variables: list[AnyVariable] | None = None) -> None:
        """Updates the variables.

        Args:
            grads: Their gradients; None where there is none.
            trainable_variables: The variables. Default: those that the optimizer was built for.
        """
        if trainable_variables is not None and not self.built:
            self.build(list(trainable_variables))
        variables = list(self._known.variables if trainable_variables is None else trainable_variables)
        for gradient, variable in zip(grads, variables, strict=True):
            if isinstance(gradient, tf.IndexedSlices):
                self._known.tables.add(self._index(variable))
        if self._needs_whole_tables(variables):
            super().apply([None if each is None else tf.convert_to_tensor(each) for each in grads], variables)
            return
        pairs = [pair for pair in zip(grads, variables, strict=True) if pair[0] is not None]
        if not pairs:
            raise ValueError("No gradients provided for any variable.")
        if len(pairs) < len(variables):
            missing = [_path(variable) for gradient, variable in zip(grads, variables, strict=True) if gradient is None]
            warnings.warn(f"no gradients reach {', '.join(missing)}: the loss does not depend on them", stacklevel=2)
        self._apply_rows([gradient for gradient, _ in pairs], [variable for _, variable in pairs])

    def _needs_whole_tables(self, variables: list[Any]) -> bool:
        return bool(
            (self.use_ema and not self._known.averages)
            or self.gradient_accumulation_steps
            or tf.distribute.get_strategy().num_replicas_in_sync > 1
            or any(getattr(variable, "overwrite_with_gradient", False) for variable in variables)
        )

    def _apply_rows(self, gradients: list[Any], variables: list[Any]) -> None:
        clips = self.clipnorm or self.global_clipnorm or self.clipvalue
        if clips:  # before the updates: clipping may need the norm of all gradients
            gradients = [self._unscaled(sum_duplicate_rows(gradient)) for gradient in gradients]
            gradients = clip_gradients(gradients, self.clipnorm, self.global_clipnorm, self.clipvalue)
        rate = self.rate(self.learning_rate)
        written: list[list[Any]] = []
        for gradient, variable in zip(gradients, variables, strict=True):
            # TensorFlow would run the first operation for all tables, then the second, and so on, and by then the rows
            # have left the processor's caches. So only as many tables as there are processors are updated at a time,
            # each from reading its rows to writing them.
            is_table = isinstance(gradient, tf.IndexedSlices)
            wait = is_table and len(written) >= _TABLES_AT_A_TIME
            with tf.control_dependencies(written[-_TABLES_AT_A_TIME] if wait else []):
                unscaled = gradient if clips else self._unscaled(sum_duplicate_rows(gradient))
                operations = self._update(unscaled, variable, rate, self._decay_of(variable))
            if is_table:
                written.append(operations)
        for variable in variables:
            if variable.constraint is not None:
                variable.assign(variable.constraint(variable))
        self.iterations.assign_add(1)

    def _unscaled(self, gradient: Any) -> Any:
        scale = self.loss_scale_factor
        return gradient if scale is None else map_values(lambda values: values / scale, gradient)

    def _decay_of(self, variable: Any) -> Any:
        """Weight decay times the learning rate; None without weight decay."""
        known = self._known
        names = known.not_decayed_names
        excluded = any(variable is each for each in known.not_decayed) or (names and names.search(variable.name))
        return None if excluded or not self.weight_decay else self.weight_decay * self.learning_rate

    def update_step(
        self, gradient: tf.Tensor, variable: keras.Variable | tf.Variable, learning_rate: LearningRate
    ) -> None:
        """Updates one variable. Keras calls it, after weight decay, where whole tables are needed."""
        if self._index(variable) in self._known.tables:
            gradient = nonzero_rows(gradient)
        self._update(gradient, variable, self.rate(learning_rate), None)

    def _update(self, gradient: Any, variable: Any, rate: Any, decay: Any) -> list[Any]:
        """Updates a variable; returns the operations that write rows, an empty list in eager mode."""
        weights = _as_tf(variable)
        rows = gradient.indices if isinstance(gradient, tf.IndexedSlices) else None
        values = tf.cast(gradient if rows is None else gradient.values, weights.dtype)
        slots = _as_tf(self._known.slots[self._index(variable)]) if self._known.slots else None
        old_slots = None if slots is None else _read(slots, rows)
        flat = tf.reshape(values, [-1, _width(variable)])
        decrease, new_slots = self.step(flat, old_slots, tf.cast(rate, weights.dtype))
        decrease = tf.reshape(decrease, tf.shape(values))
        # Rows are read and written back, not added to in place: on tables larger than the processor's caches,
        # `scatter_sub` takes three times as long.
        old = _read(weights, rows)
        new = old - decrease if decay is None else old - decrease - old * tf.cast(decay, weights.dtype)
        written = _write(weights, rows, new) + ([] if slots is None else _write(slots, rows, new_slots))
        return written + self._update_average(variable, rows, old - new)

    def _update_average(self, variable: Any, rows: Any, decrease: Any) -> list[Any]:
        """Updates the averages of some rows, whose weights have decreased by `decrease`.

        With the average a = w + d, the momentum m and the decrease u, a step sets a to m a + (1 - m) (w - u), which
        makes d equal to m (d + u). The first step sets a to the weights.
        """
        if not self._known.averages:
            return []
        averages, step = _as_tf(self._known.averages[self._index(variable)]), self._step(1)
        difference, last = tf.split(_read(averages, rows), [_width(variable), 1], axis=1)
        momentum = tf.where(step > 1, tf.constant(self.ema_momentum, tf.float32), 0.0)
        moved = momentum * tf.reshape(tf.cast(decrease, tf.float32), tf.shape(difference))
        difference = difference * self.ema_momentum ** (step - last) + moved
        return _write(averages, rows, tf.concat([difference, tf.fill(tf.shape(last), step)], axis=1))

    def _step(self, ahead: int) -> Any:
        return tf.cast(_as_tf(self.iterations), tf.float32) + ahead

    def finalize_variable_values(self, var_list: list[AnyVariable]) -> None:
        """Sets variables to their averages, if the optimizer keeps any.

        Args:
            var_list: The variables.
        """
        if not self._known.averages:
            super().finalize_variable_values(var_list)
            return
        for variable in var_list:
            rows, weights = _as_tf(self._known.averages[self._index(variable)]), _as_tf(variable)
            difference = rows[:, :-1] * self.ema_momentum ** (self._step(0) - rows[:, -1:])
            weights.assign(weights + tf.cast(tf.reshape(difference, tf.shape(weights)), weights.dtype))


def _width(variable: Any) -> int:
    """Number of weights in a row; 1 for a scalar."""
    return math.prod(variable.shape[1:])


def _path(variable: Any) -> str:
    """Path of a Keras variable, or the name of a `tf.Variable`."""
    return str(getattr(variable, "path", variable.name))


def _as_tf(variable: Any) -> Any:
    return variable.value if isinstance(variable, keras.Variable) else variable


def _read(variable: Any, rows: Any) -> Any:
    return tf.convert_to_tensor(variable) if rows is None else read_rows(variable, rows)


def _write(variable: Any, rows: Any, values: Any) -> list[Any]:
    """Writes a variable or some of its rows; returns the operation that writes rows, if in a graph."""
    if rows is None:
        variable.assign(values)
        return []
    written = variable.scatter_update(tf.IndexedSlices(values, rows))
    return [] if tf.executing_eagerly() else [written.op]
