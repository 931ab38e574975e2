"""Outputs of a ranking ensemble, one for each target of its model, and their values."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from emrys.blocks.errors import SchemaError
from emrys.components.contracts.data_schema import Target, TargetKind
from emrys.components.serving.columns import Column

#: Name of the only output: of a model of one target with one number, and of one with classes.
SCORE, PROBABILITIES = "score", "probabilities"


@dataclass(frozen=True)
class ScoreOutput:
    """An output of a ranking ensemble.

    Args:
        name: Name of the output.
        tensor: Name of the model's prediction, in the signature of its SavedModel.
        target: Target that it predicts.
        kind: Kind of the target. Default: binary.
        classes: Value of each class, in the order of the probabilities; empty for other kinds.
        negatives: Negatives that were drawn for each positive row, whose effect on probabilities is taken back; 0 for
            none.
    """

    name: str
    tensor: str
    target: str
    kind: TargetKind = TargetKind.BINARY
    classes: tuple[str | int, ...] = ()
    negatives: int = 0

    @property
    def column(self) -> Column:
        """The output in the configuration: (B, 1), or (B, C) for C classes."""
        classes = len(self.classes)
        return Column(self.name, "float32", is_list=classes > 0, length=classes or None)

    @property
    def description(self) -> str:
        """Description of the values, for the page about the ensemble."""
        if self.kind is TargetKind.BINARY:
            return f"probability that `{self.target}` is 1"
        if self.kind is TargetKind.REGRESSION:
            return f"predicted `{self.target}`"
        return f"probability of each value of `{self.target}`: {', '.join(map(str, self.classes))}"

    def values(self, predictions: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Converts predictions of the model to values of the output, (B, 1) or (B, C)."""
        values: npt.NDArray[Any] = predictions.reshape(len(predictions), -1)
        if self.negatives > 1:  # the odds of drawn negatives are n times too low
            values = self.negatives * values / (1 + (self.negatives - 1) * values)
        return values.astype(np.float32, copy=False)

    def to_json(self) -> dict[str, Any]:
        """The output as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Restores an output from `to_json`."""
        return cls(**{**content, "kind": TargetKind(content["kind"]), "classes": tuple(content["classes"])})


def score_outputs(
    targets: Sequence[Target],
    tensors: Mapping[str, int],
    inputs: Collection[str],
    negatives: int = 0,
) -> tuple[ScoreOutput, ...]:
    """Defines the outputs of an ensemble: `score` or `probabilities` for one target, else one named as each target.

    Args:
        targets: Targets that the model predicts; empty for a model of an earlier release, which predicts one.
        tensors: Number of values in a row of each prediction, by name: `<target>`, `<target>/<output>`, or any name of
            the only one.
        inputs: Names of the ensemble's inputs, which its outputs must not have.
        negatives: Negatives that were drawn for each positive row; 0 for none.

    Raises:
        SchemaError: if a target has no prediction, or one of the wrong size, or an input has the name of an output.
    """
    if not targets:
        if len(tensors) != 1:
            raise SchemaError(
                "the model must have exactly one output", expected="one score", got=", ".join(tensors) or "none"
            )
        name = next(iter(tensors)).partition("/")[0]
        targets = [Target(name, TargetKind.BINARY)]
    outputs = tuple(_output(target, targets, tensors, negatives) for target in targets)
    for output in outputs:
        if output.name in inputs:
            raise SchemaError(
                "an output of the ensemble has the name of a raw column",
                column=output.name,
                fix="Rename the column in the data.",
            )
    return outputs


def _output(target: Target, targets: Sequence[Target], tensors: Mapping[str, int], negatives: int) -> ScoreOutput:
    found = [name for name in tensors if name == target.name or name.startswith(f"{target.name}/")]
    if not found and len(targets) == len(tensors) == 1:
        found = list(tensors)
    if len(found) != 1:
        raise SchemaError(
            "the model must have exactly one output for the target",
            column=target.name,
            expected=f"{target.name} or {target.name}/…",
            got=", ".join(found or tensors) or "none",
        )
    width = tensors[found[0]]
    classes = target.classes
    if target.kind is TargetKind.CLASSES and not classes:
        classes = tuple(range(width))
    if width != (len(classes) or 1):
        raise SchemaError(
            "the model predicts another number of values",
            column=target.name,
            expected=f"{len(classes) or 1}",
            got=str(width),
        )
    single = PROBABILITIES if classes else SCORE
    return ScoreOutput(
        name=single if len(targets) == 1 else target.name,
        tensor=found[0],
        target=target.name,
        kind=target.kind,
        classes=classes,
        negatives=negatives if target.kind is TargetKind.BINARY else 0,
    )
