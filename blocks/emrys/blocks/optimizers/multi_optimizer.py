"""An optimizer composed of several, each for some blocks of a model."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import keras
from numpy.typing import ArrayLike

from emrys.blocks.core.gather import distinct_rows
from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.core.serializing import from_config, to_config
from emrys.blocks.errors import ConfigError
from emrys.blocks.optimizers.get_optimizer import get_optimizer
from emrys.blocks.optimizers.lazy_optimizer import AnyVariable, Gradient, LearningRate


@dataclass
class OptimizerBlocks:
    """An optimizer, or its name, and the blocks whose weights it updates; see `MultiOptimizer`.

    Args:
        optimizer: Optimizer, or its name.
        blocks: One layer, or several.

    Example:
        >>> import emrys.blocks as mm
        >>> mm.OptimizerBlocks("adagrad", mm.MLPBlock([4])).optimizer
        'adagrad'
    """

    optimizer: str | keras.optimizers.Optimizer
    blocks: keras.layers.Layer | Sequence[keras.layers.Layer]


@dataclass
class _Pair:
    """An optimizer and its blocks or, after loading, the names of the blocks and the indices of their variables."""

    optimizer: keras.optimizers.Optimizer
    blocks: list[keras.layers.Layer]
    block_names: list[str] = field(default_factory=list)
    indices: list[int] | None = None  #: Indices of the variables in the list that the optimizer is built for.


@dataclass
class _Parts:
    """Optimizers and variables, in one object so that Keras does not track them as state of the optimizer."""

    pairs: list[_Pair]
    default: keras.optimizers.Optimizer
    variables: list[Any] = field(default_factory=list)
    owners: dict[int, int] = field(default_factory=dict)  #: Index of the optimizer by `id` of the variable.
    model: keras.Model | None = None  #: The trained model, if it is known before the first step.


@keras.saving.register_keras_serializable("emrys")
class MultiOptimizer(keras.optimizers.Optimizer):
    """Updates the weights of each block with its own optimizer, and all other weights with a default one.

    The blocks may be built later, with the model: their weights are looked up in the first step.
    `learning_rate` is that of the default optimizer. The assignment of weights to optimizers is saved with the model.

    Args:
        optimizers_and_blocks: Pairs of an optimizer, or a name that `compile` accepts, and its blocks.
        default_optimizer: Optimizer, or its name, for all other weights. Default: `"rmsprop"`.
        name: Name of the optimizer.
        **kwargs: Not accepted; clipping, weight decay and the like are arguments of the individual optimizers.

    Raises:
        ConfigError: if there are no pairs, an item is not an `OptimizerBlocks`, or an optimizer scales the loss itself;
            when built, if a weight belongs to several pairs.

    Example:
        >>> import emrys.blocks as mm
        >>> deep, wide = mm.MLPBlock([4]), mm.MLPBlock([1])
        >>> pairs = [mm.OptimizerBlocks("adagrad", deep), mm.OptimizerBlocks(mm.LazyAdam(0.01), [wide])]
        >>> [type(optimizer).__name__ for optimizer in mm.MultiOptimizer(pairs).optimizers]
        ['LazyAdagrad', 'LazyAdam', 'RMSprop']
    """

    built: bool

    #: Each of the optimizers gets its own gradients with every row once, unless it sums them itself.
    sums_duplicate_rows = True

    def __init__(
        self,
        optimizers_and_blocks: Sequence[OptimizerBlocks],
        default_optimizer: str | keras.optimizers.Optimizer = "rmsprop",
        name: str = "MultiOptimizer",
        **kwargs: object,
    ) -> None:
        if kwargs:
            raise ConfigError(
                f"MultiOptimizer: {next(iter(kwargs))}",
                expected="no further arguments",
                fix="Pass it to the optimizers of the pairs.",
            )
        if not optimizers_and_blocks:
            raise ConfigError("MultiOptimizer: optimizers_and_blocks", expected="at least one pair", got="none")
        super().__init__(learning_rate=0.0, name=name)
        self._parts = _Parts([_pair(each) for each in optimizers_and_blocks], _unscaled_optimizer(default_optimizer))

    @property
    def optimizers(self) -> list[keras.optimizers.Optimizer]:
        """The optimizers, in the order of the pairs; the default optimizer comes last."""
        return [*(pair.optimizer for pair in self._parts.pairs), self._parts.default]

    @property
    def optimizers_and_blocks(self) -> list[OptimizerBlocks]:
        """The pairs of an optimizer and its blocks; the blocks of a loaded optimizer are not known."""
        return [OptimizerBlocks(pair.optimizer, list(pair.blocks)) for pair in self._parts.pairs]

    @property
    def variables(self) -> list[Any]:
        """The number of steps, and the state of all optimizers."""
        return [*super().variables, *(each for optimizer in self.optimizers for each in optimizer.variables)]

    @property
    def weights(self) -> list[Any]:
        """The same as `variables`."""
        return self.variables

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the default optimizer."""
        return self._parts.default.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: LearningRate) -> None:
        self._parts.default.learning_rate = value

    def add(self, optimizer_blocks: OptimizerBlocks) -> None:
        """Adds a pair. A model that has been trained already must be compiled again.

        Raises:
            ConfigError: if the optimizer is built and a weight then belongs to several pairs.
        """
        self._parts.pairs.append(_pair(optimizer_blocks))
        self._share_again()

    def update(self, optimizer_blocks: OptimizerBlocks) -> None:
        """Replaces the optimizer of some blocks. A model that has been trained already must be compiled again."""
        new, variables = _pair(optimizer_blocks), self._parts.variables
        moved = {id(variable) for block in new.blocks for variable in block.trainable_variables}
        for pair in self._parts.pairs:
            pair.blocks = [block for block in pair.blocks if not any(block is each for each in new.blocks)]
            if not pair.blocks:  # no block left, or a pair of a loaded model
                pair.indices = [index for index in pair.indices or [] if id(variables[index]) not in moved]
        self._parts.pairs.append(new)
        self._share_again()

    def _share_again(self) -> None:
        if self.built:
            self.built = False
            self.build(self._parts.variables)

    def build(self, variables: list[AnyVariable]) -> None:
        """Assigns `variables` to the optimizers, and creates their slots."""
        if self.built:
            return
        parts = self._parts
        parts.owners = _owners(parts.pairs, variables)
        parts.variables = list(variables)
        super().build(variables)
        for number, optimizer in enumerate(self.optimizers):
            own = [each for each in variables if parts.owners.get(id(each), len(parts.pairs)) == number]
            if own and not optimizer.built:
                optimizer.build(own)
        for number, pair in enumerate(parts.pairs):
            pair.indices = _owned(number, parts.owners, parts.variables)

    def apply_gradients(
        self,
        grads_and_vars: Iterable[tuple[Gradient, AnyVariable]],
        name: str | None = None,
        experimental_aggregate_gradients: bool = True,
    ) -> Any:
        """Updates variables.

        Args:
            grads_and_vars: Pairs of a gradient and its variable.
            name: Kept, without effect.
            experimental_aggregate_gradients: Kept, without effect.

        Returns:
            The number of steps.
        """
        return super().apply_gradients(grads_and_vars)

    def apply(self, grads: list[Gradient], trainable_variables: list[AnyVariable] | None = None) -> None:
        """Updates the variables, each with its optimizer.

        Args:
            grads: Their gradients; None where there is none.
            trainable_variables: The variables. Default: those that the optimizer was built for.
        """
        if trainable_variables is not None and not self.built:
            self.build(list(trainable_variables))
        parts = self._parts
        variables = list(parts.variables if trainable_variables is None else trainable_variables)
        for number, optimizer in enumerate(self.optimizers):
            own = [
                (gradient, each)
                for gradient, each in zip(grads, variables, strict=True)
                if parts.owners.get(id(each), len(parts.pairs)) == number
            ]
            if any(gradient is not None for gradient, _ in own):
                distinct = distinct_rows([gradient for gradient, _ in own], optimizer)
                optimizer.apply_gradients(zip(distinct, [each for _, each in own], strict=True))
        self.iterations.assign_add(1)

    def finalize_variable_values(self, var_list: list[AnyVariable]) -> None:
        """Writes the moving averages of the optimizers that have them into the variables."""
        parts = self._parts
        for number, optimizer in enumerate(self.optimizers):
            own = [each for each in var_list if parts.owners.get(id(each), len(parts.pairs)) == number]
            if own:
                optimizer.finalize_variable_values(own)

    def follow(self, model: keras.Model) -> None:
        """Sets the trained model, so that the optimizer can be saved before the first step."""
        self._parts.model = model

    def _indices(self) -> list[list[int] | None]:
        """Indices of each pair's variables among the trainable ones; None where they are not known yet."""
        parts = self._parts
        if self.built or parts.model is None or not parts.model.built:
            return [pair.indices for pair in parts.pairs]
        variables = parts.model.trainable_variables
        owners = _owners(parts.pairs, variables)
        return [_owned(number, owners, variables) for number in range(len(parts.pairs))]

    def save_own_variables(self, store: MutableMapping[str, ArrayLike]) -> None:
        """Saves the number of steps."""
        for number, variable in enumerate(super().variables):
            store[str(number)] = variable.numpy()

    def load_own_variables(self, store: MutableMapping[str, ArrayLike]) -> None:
        """Loads the number of steps. Keras loads the state of the optimizers, which it finds through `optimizers`."""
        for number, variable in enumerate(super().variables):
            variable.assign(store[str(number)])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, with the names of the blocks and the indices of their variables."""
        return {
            "name": self.name,
            "optimizers_and_blocks": [
                _pair_config(pair, each) for pair, each in zip(self._parts.pairs, self._indices(), strict=True)
            ],
            "default_optimizer": to_config(self._parts.default),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, type] | None = None) -> Self:
        """Creates the optimizer from `get_config`; the variables of the blocks are assigned when it is built."""
        arguments = dict(config)
        pair_configs = [dict(pair) for pair in arguments.pop("optimizers_and_blocks")]
        optimizer = cls(
            [OptimizerBlocks(from_config(pair.pop("optimizer")), []) for pair in pair_configs],
            default_optimizer=from_config(arguments.pop("default_optimizer")),
            **arguments,
        )
        for pair, pair_config in zip(optimizer._parts.pairs, pair_configs, strict=True):
            pair.block_names, pair.indices = pair_config["blocks"], pair_config["places"]
        return optimizer


def _pair(value: Any) -> _Pair:
    if not isinstance(value, OptimizerBlocks):
        raise ConfigError("MultiOptimizer: optimizers_and_blocks", expected="OptimizerBlocks", got=type(value).__name__)
    blocks = [value.blocks] if isinstance(value.blocks, keras.layers.Layer) else list(value.blocks)
    for block in blocks:
        if not isinstance(block, keras.layers.Layer):
            raise ConfigError("OptimizerBlocks: blocks", expected="layers", got=type(block).__name__)
    return _Pair(_unscaled_optimizer(value.optimizer), blocks, [block.name for block in blocks])


def _unscaled_optimizer(optimizer: Any) -> keras.optimizers.Optimizer:
    chosen = get_optimizer(optimizer)
    if isinstance(chosen, keras.optimizers.LossScaleOptimizer) or chosen.loss_scale_factor is not None:
        raise ConfigError(
            f"MultiOptimizer: {chosen.name} would scale the loss of its own variables only",
            fix="Wrap the MultiOptimizer in a LazyLossScaleOptimizer.",
        )
    return chosen


def _owners(pairs: list[_Pair], variables: list[Any]) -> dict[int, int]:
    owners: dict[int, int] = {}
    for number, pair in enumerate(pairs):
        for variable in _variables_of(pair, variables):
            if id(variable) in owners:
                name = getattr(variable, "path", variable.name)
                raise ConfigError(f"MultiOptimizer: {name} belongs to two pairs", expected="one pair")
            owners[id(variable)] = number
    return owners


def _owned(number: int, owners: dict[int, int], variables: list[Any]) -> list[int]:
    return [index for index, each in enumerate(variables) if owners.get(id(each)) == number]


def _variables_of(pair: _Pair, variables: list[Any]) -> list[Any]:
    if pair.blocks or not pair.block_names:
        own = {id(variable): variable for block in pair.blocks for variable in block.trainable_variables}
        for block in pair.blocks:
            if not block.built and not block.variables:
                text = f"MultiOptimizer: block {block.name!r} has no weights yet, so that its optimizer updates nothing"
                warnings.warn(f"{text}. Is it a block of the model?", stacklevel=2)
        return list(own.values())
    if pair.indices is not None:
        return [variables[index] for index in pair.indices]
    raise ConfigError(
        f"MultiOptimizer: the variables of {', '.join(pair.block_names)} are unknown",
        fix="Train the model for a step before saving it, or compile it again.",
    )


def _pair_config(pair: _Pair, indices: list[int] | None) -> dict[str, Any]:
    # The key "places" is part of the format of saved models.
    return {"optimizer": to_config(pair.optimizer), "blocks": pair.block_names, "places": indices}


def split_embeddings_on_size(
    embeddings: ParallelBlock, threshold: int
) -> tuple[list[keras.layers.Layer], list[keras.layers.Layer]]:
    """Splits the tables of a block by their number of rows, to give them different optimizers.

    Args:
        embeddings: The tables, as created by `Embeddings`.
        threshold: Number of rows from which a table counts as large.

    Returns:
        The large tables and the small ones, each in the order of the block. Warns if no table is large.

    Raises:
        ConfigError: if a branch of `embeddings` is not a table.

    Example:
        >>> import emrys.blocks as mm
        >>> from merlin.schema import Schema
        >>> columns = [mm.create_categorical_column("user", 99), mm.create_categorical_column("country", 4)]
        >>> large, small = mm.split_embeddings_on_size(mm.Embeddings(Schema(columns), dim=2), threshold=50)
        >>> [table.name for table in large], [table.name for table in small]
        (['user'], ['country'])
    """
    large: list[keras.layers.Layer] = []
    small: list[keras.layers.Layer] = []
    for table in embeddings.parallel_values:
        rows = getattr(table, "input_dim", None)
        if rows is None:
            raise ConfigError(
                "split_embeddings_on_size: embeddings", expected="embedding tables", got=type(table).__name__
            )
        (large if rows >= threshold else small).append(table)
    if not large:
        warnings.warn(f"no table has {threshold} rows or more", stacklevel=2)
    return large, small
