"""The mask that says which elements of a sequence are to be predicted.

It travels within the features of a batch, as a boolean tensor (B, L) beside the sequences, ragged as they are:

- `<target>__predicted`: the element behind a position where it is True is predicted from this position and others.
- `<target>__hidden`: the element at a position where it is True is predicted, and the model must not see it.

Sequence transforms put it there, `TransformerBlock` and outputs read it. Blocks that select features by name or tag
pass it by.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from emrys.blocks.errors import ConfigError

PREDICTED, HIDDEN = "__predicted", "__hidden"


class PositionMask(NamedTuple):
    """The mask of a batch.

    Attributes:
        target: Name of the sequence that is predicted.
        mask: (B, L), bool.
        hidden: Whether the model must not see the elements where it is True.
    """

    target: str
    mask: Any
    hidden: bool


def position_mask(features: Any, target: str | None = None) -> PositionMask | None:
    """Finds the mask among the features of a batch.

    Args:
        features: The features by name; what is no dictionary has no mask.
        target: Name of the sequence that is predicted. Default: the only one that has a mask.

    Returns:
        The mask; None where there is none.

    Raises:
        ConfigError: if several sequences have a mask, and none is named.
    """
    if not isinstance(features, dict):
        return None
    found = [
        PositionMask(name.removesuffix(suffix), mask, suffix == HIDDEN)
        for name, mask in features.items()
        for suffix in (PREDICTED, HIDDEN)
        if name.endswith(suffix) and target in (None, name.removesuffix(suffix))
    ]
    if len(found) > 1:
        raise ConfigError(
            "a batch has several masks of what is predicted",
            expected="one",
            got=", ".join(each.target + (HIDDEN if each.hidden else PREDICTED) for each in found),
            fix="Use one sequence transform.",
        )
    return found[0] if found else None
