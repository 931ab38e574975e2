"""Fits chains of numbers: means, medians, moments and ranges of what the steps before give."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from emrys.blocks.errors import DataError
from emrys.blocks.workflow import Clip, Fill, FillNormalize, FittedOp, Log, MinMax, NumberChain, Standardize
from emrys.blocks.workflow.number_chain import NumberStep
from emrys.blocks.workflow.tables import to_request
from emrys.components.merlin_imports import import_without_tensorflow
from emrys.components.preprocess.frames import collect
from emrys.components.preprocess.raw_split import RawSplit, raw_column
from emrys.components.recipe import operators
from emrys.components.recipe.operators import Feature, Operator

nvt = import_without_tensorflow("nvtabular")
nvt_ops = import_without_tensorflow("nvtabular.ops")
Dataset = import_without_tensorflow("merlin.io").Dataset

#: A standard deviation below this share of the mean is a rounding error.
_ROUNDING = 1e-7


def fit_numbers(train: RawSplit, features: Sequence[Feature]) -> dict[str, FittedOp]:
    """Fits chains of numbers.

    Args:
        train: The train split.
        features: Features that are chains.

    Returns:
        The fitted steps by output.

    Raises:
        DataError: if a chain gives no number at all.
    """
    chains = [_Chain(train, feature) for feature in features]
    while any(chain.pending is not None for chain in chains):
        _fit_moments(train, [chain for chain in chains if isinstance(chain.pending, _SCALED)])
        for chain in chains:
            if isinstance(chain.pending, operators.Fill):
                chain.add(Fill(chain.mean() if chain.pending.by == "mean" else chain.median()))
    return {chain.feature.output: chain.fitted() for chain in chains}


def standard_deviation(mean: float, std: float) -> float:
    """0 for a constant column, where the sum of squares of NVTabular gives NaN or a rounding error."""
    return std if math.isfinite(std) and std > _ROUNDING * abs(mean) else 0.0


_SCALED = (operators.Normalize, operators.MinMax)


class _Chain:
    """A chain, fitted as far as `steps`; `pending` is the operator that needs a statistic of them."""

    def __init__(self, train: RawSplit, feature: Feature) -> None:
        self.feature = feature
        self.column = raw_column(feature.column)
        self._train = train
        self._steps: list[NumberStep] = []
        self._rest: list[Operator] = list(feature.steps)
        self.pending: Operator | None = None
        self._advance()

    def add(self, step: NumberStep) -> None:
        """Adds the step of the pending operator."""
        self._steps.append(step)
        self._advance()

    def parts(self) -> Iterator[NDArray[np.float64]]:
        """Results of the steps so far, (M,) without missing numbers, by part of the train split."""
        for part in range(len(self._train.parts)):
            values = self.values(self._train.read(part, [self.column.name]))
            yield values[~np.isnan(values)]

    def values(self, table: pa.Table) -> NDArray[np.float64]:
        """Results of the steps so far, (B,), or (B * L,) for lists; missing ones are NaN."""
        chain = self._chain()
        return chain.prefix(to_request(table, [self.column])[self.column.name]).reshape(-1)

    def mean(self) -> float:
        """Mean of the results of the steps so far."""
        total, count = 0.0, 0
        for values in self.parts():
            total += pc.sum(pa.array(values)).as_py() or 0.0
            count += len(values)
        return self.check(total / count if count else math.nan)

    def median(self) -> float:
        """Median of the results of the steps so far."""
        values = np.concatenate([*self.parts(), np.empty(0)])
        return self.check(float(np.median(values)) if len(values) else math.nan)

    def check(self, statistic: float) -> float:
        """Checks that a statistic is a number.

        Raises:
            DataError: if it is not, because there was no number to take it of.
        """
        if not math.isfinite(statistic):
            done = ", ".join(step.kind for step in self._steps) or "no steps"
            raise DataError(
                "no number of the column is left",
                path=self._train.path,
                column=self.column.name,
                expected=f"finite numbers after {done}",
                fix=f"Change the operators of {self.feature.key} in the recipe.",
            )
        return statistic

    def fitted(self) -> FittedOp:
        """The fitted step."""
        feature, column, steps = self.feature, self.column, self._steps
        if (
            column.dtype == "float32"
            and not column.is_list
            and feature.output == column.name
            and [type(step) for step in steps] == [Fill, Standardize]
        ):
            fill, scale = steps
            if isinstance(fill, Fill) and isinstance(scale, Standardize):
                return FillNormalize(column.name, fill.value, scale.mean, scale.std)
        return self._chain(self._missing())

    def _missing(self) -> float:
        """Result of a missing number: the mean of the results, if a number can be missing."""
        kinds = [type(step) for step in self._steps]
        if Fill in kinds and Log not in kinds[kinds.index(Fill) :]:
            return 0.0
        if self.column.is_list and self.column.length is None and Log not in kinds:
            return 0.0
        return 0.0 if kinds and kinds[-1] is Standardize else self.mean()

    def _chain(self, missing: float = 0.0) -> NumberChain:
        feature, column = self.feature, self.column
        name = "" if feature.output == column.name else feature.output
        return NumberChain(
            column.name, column.dtype, tuple(self._steps), missing, column.is_list, column.length, feature.keep, name
        )

    def _advance(self) -> None:
        """Adds steps up to the next that needs a statistic."""
        self.pending = None
        while self._rest and self.pending is None:
            operator = self._rest.pop(0)
            if isinstance(operator, operators.Clip):
                self._steps.append(Clip(operator.min, operator.max))
            elif isinstance(operator, operators.Log):
                self._steps.append(Log())
            elif isinstance(operator, operators.Fill) and not isinstance(operator.by, str):
                self._steps.append(Fill(float(operator.by)))
            else:
                self.pending = operator


def _fit_moments(train: RawSplit, chains: Sequence[_Chain]) -> None:
    """Fits `normalize` and `min_max` with NVTabular: single numbers together, lists column by column."""
    scalars = [chain for chain in chains if not chain.column.is_list]
    for group in ([scalars] if scalars else []) + [[chain] for chain in chains if chain.column.is_list]:
        names = [chain.feature.output for chain in group]
        normalize, min_max = nvt_ops.Normalize(out_dtype="float64"), nvt_ops.NormalizeMinMax(out_dtype="float64")
        output = None
        for kind, op in ((operators.Normalize, normalize), (operators.MinMax, min_max)):
            of_kind = [chain.feature.output for chain in group if isinstance(chain.pending, kind)]
            if of_kind:
                node = of_kind >> op
                output = node if output is None else output + node
        columns = [chain.column.name for chain in group]
        nvt.Workflow(output).fit(Dataset(collect(train, columns, _reader(group), f"numbers-{names}")))
        for chain, name in zip(group, names, strict=True):
            if isinstance(chain.pending, operators.Normalize):
                mean = chain.check(float(normalize.means[name]))
                chain.add(Standardize(mean, standard_deviation(mean, float(normalize.stds[name]))))
            else:
                chain.add(MinMax(chain.check(float(min_max.mins[name])), chain.check(float(min_max.maxs[name]))))


def _reader(chains: Sequence[_Chain]) -> Callable[[pa.Table], pd.DataFrame]:
    def read(table: pa.Table) -> Any:
        return pd.DataFrame({chain.feature.output: chain.values(table) for chain in chains})

    return read
