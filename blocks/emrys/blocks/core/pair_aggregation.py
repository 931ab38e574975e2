"""Making one tensor of two."""

from __future__ import annotations

from typing import Any

from emrys.blocks.core.aggregation import TabularAggregation
from emrys.blocks.core.calling import Shape
from emrys.blocks.core.one_shape import one_shape
from emrys.blocks.errors import ConfigError


class PairAggregation(TabularAggregation):
    """Base of the aggregations of two tensors, which come in a dictionary or as two arguments.

    A subclass writes `combine_pair`; of a dictionary it gets the tensors in alphabetical order of their names.
    """

    def combine_pair(self, left: Any, right: Any) -> Any:
        """Makes one tensor of two."""
        raise NotImplementedError

    def build(self, input_shape: Shape) -> None:
        """Checks that there are two tensors of one shape."""
        if isinstance(input_shape, dict):
            self.compute_output_shape(input_shape)
        self.built = True

    def call(self, inputs: Any, other: Any = None) -> Any:
        """Aggregates a dictionary of two tensors, or `inputs` and `other`."""
        if other is not None:
            self._check_number(2 if not isinstance(inputs, dict) else 1 + len(inputs))
            return self.combine_pair(inputs, other)
        self._check_number(len(inputs) if isinstance(inputs, dict) else 1)
        left, right = (inputs[name] for name in sorted(inputs))
        return self.combine_pair(left, right)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape that both tensors have."""
        self._check_number(len(input_shape) if isinstance(input_shape, dict) else 1)
        return one_shape(self, input_shape)

    def _check_number(self, number: int) -> None:
        if number != 2:
            raise ConfigError(f"{self.name} takes two tensors", got=str(number))
