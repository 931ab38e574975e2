"""Crosses of all pairs, or pairs and triples, of columns."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from merlin.schema import Schema

from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.transforms.hashed_cross import HashedCross


def HashedCrossAll(  # noqa: N802 - looks like the class that it is used as
    schema: Schema,
    num_bins: int | None = None,
    infer_num_bins: bool = False,
    max_num_bins: int = 100000,
    max_level: int = 2,
    sparse: bool = False,
    output_mode: str = "one_hot",
    ignore_combinations: Iterable[Sequence[str]] | None = None,
) -> ParallelBlock:
    """Makes a `HashedCross` of every pair of columns, with `max_level` 3 of every triple too.

    Args:
        schema: The columns. Each cross takes its own in this order, so that its bins are the same in every process.
        num_bins: Number of bins of each cross. Default: `infer_num_bins` says.
        infer_num_bins: Whether, without `num_bins`, a cross has as many bins as combinations. Default: False.
        max_num_bins: The most bins that are inferred. Default: 100000.
        max_level: The most columns of a cross, 2 or 3. Default: 2.
        sparse: See `HashedCross`. Default: False.
        output_mode: See `HashedCross`. Default: `"one_hot"`.
        ignore_combinations: Sets of columns that are not crossed, in any order. Default: none.

    Returns:
        The crosses, as one block that gives them by name.

    Raises:
        ConfigError: if `max_level` is neither 2 nor 3, or a combination names a column that is not there.
        SchemaError: if there is nothing to cross.

    Example:
        >>> import emrys.blocks as mm
        >>> from merlin.schema import Schema
        >>> schema = Schema([mm.create_categorical_column(name, 9) for name in ("a", "b", "c")])
        >>> list(mm.HashedCrossAll(schema, num_bins=50, ignore_combinations=[["c", "a"]]).parallel_dict)
        ['cross_a_b', 'cross_b_c']
    """
    if max_level not in (2, 3):
        raise ConfigError("HashedCrossAll: max_level", expected="2 or 3", got=repr(max_level))
    ignored = {frozenset(combination) for combination in ignore_combinations or ()}
    strangers = sorted(set().union(*ignored) - set(schema.column_names))
    if strangers:
        raise ConfigError(
            "HashedCrossAll: ignore_combinations",
            column=strangers[0],
            expected=f"columns of {', '.join(schema.column_names)}",
        )
    crosses: dict[str, HashedCross] = {}
    for level in range(2, max_level + 1):
        for names in itertools.combinations(schema.column_names, level):
            if frozenset(names) not in ignored:
                cross = HashedCross(
                    Schema([schema[name] for name in names]),
                    num_bins=num_bins,
                    sparse=sparse,
                    output_mode=output_mode,
                    infer_num_bins=infer_num_bins,
                    max_num_bins=max_num_bins,
                )
                crosses[cross.output_name] = cross
    if not crosses:
        raise SchemaError(
            "HashedCrossAll has nothing to cross",
            expected="two columns or more",
            got=", ".join(schema.column_names) or "an empty schema",
        )
    return ParallelBlock(crosses, is_input=True)
