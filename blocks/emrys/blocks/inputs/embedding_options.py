"""`EmbeddingOptions`: dimensions and initializers of the embedding tables of a schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from merlin.schema import ColumnSchema

from emrys.blocks.core.gather import COMBINERS
from emrys.blocks.errors import ConfigError
from emrys.blocks.schema.functions import infer_embedding_dim


@dataclass(frozen=True)
class EmbeddingOptions:
    """Options of `EmbeddingFeatures.from_schema`: dimensions, initializers, regularization, combiner.

    Args:
        embedding_dims: Embedding dimensions by name of a column or of its domain. Default: none.
        embedding_dim_default: Dimension of all other tables. Default: 64.
        infer_embedding_sizes: Whether these tables get a dimension inferred from their cardinality instead.
            Default: False.
        infer_embedding_sizes_multiplier: See `get_embedding_size_from_cardinality`. Default: 2.
        infer_embeddings_ensure_dim_multiple_of_8: See there. Default: False.
        embeddings_initializers: Initializer of all tables, or initializers by name of a column or of its domain.
            Default: a truncated normal distribution with standard deviation 0.05.
        embeddings_l2_reg: Weight, in the loss, of the sum of squares of the vectors that a batch looks up. Default: 0.
        combiner: Combination of the rows of a list: `"mean"`, `"sum"`, `"sqrtn"`. Default: `"mean"`.

    Raises:
        ConfigError: if a dimension is below 1, or there is no such combiner.

    Example:
        >>> import emrys.blocks as mm
        >>> options = mm.EmbeddingOptions(embedding_dims={"a": 8})
        >>> [options.dim(mm.create_categorical_column(name, 9)) for name in ("a", "b")]
        [8, 64]
    """

    embedding_dims: Mapping[str, int] | None = None
    embedding_dim_default: int | None = 64
    infer_embedding_sizes: bool = False
    infer_embedding_sizes_multiplier: float = 2.0
    infer_embeddings_ensure_dim_multiple_of_8: bool = False
    embeddings_initializers: Any = None
    embeddings_l2_reg: float = 0.0
    combiner: str = "mean"

    def __post_init__(self) -> None:
        dims = dict(self.embedding_dims or {})
        for name, dim in {**dims, "embedding_dim_default": self.embedding_dim_default}.items():
            if dim is not None and (not isinstance(dim, int) or dim < 1):
                raise ConfigError(f"EmbeddingOptions: {name}", expected="a whole number above 0", got=repr(dim))
        if self.combiner not in COMBINERS:
            expected = f"one of {', '.join(map(repr, COMBINERS))}"
            raise ConfigError("EmbeddingOptions: combiner", expected=expected, got=repr(self.combiner))

    def dim(self, *columns: ColumnSchema) -> int:
        """Returns the embedding dimension of the table that `columns` share.

        Raises:
            ConfigError: if the columns have different dimensions, or none.
        """
        dims_by_name = self.embedding_dims or {}
        dims = {dims_by_name[name] for name in _names(columns) if name in dims_by_name}
        if len(dims) > 1:
            raise ConfigError(
                "EmbeddingOptions: columns of one domain share a table",
                column=columns[0].name,
                expected="one dimension for all of them",
                got=", ".join(f"{name} {dims_by_name[name]}" for name in _names(columns) if name in dims_by_name),
            )
        if dims:
            return dims.pop()
        if self.infer_embedding_sizes:
            return infer_embedding_dim(
                columns[0], self.infer_embedding_sizes_multiplier, self.infer_embeddings_ensure_dim_multiple_of_8
            )
        if self.embedding_dim_default is None:
            raise ConfigError("EmbeddingOptions gives no dimension", column=columns[0].name)
        return self.embedding_dim_default

    def initializer(self, *columns: ColumnSchema) -> Any:
        """Returns the initializer of the table that `columns` share; None for the default one."""
        initializers = self.embeddings_initializers
        if not isinstance(initializers, Mapping):
            return initializers
        return next((initializers[name] for name in _names(columns) if name in initializers), None)


def _names(columns: tuple[ColumnSchema, ...]) -> list[str]:
    domains = [str(column.int_domain.name) for column in columns if column.int_domain and column.int_domain.name]
    return list(dict.fromkeys([*(column.name for column in columns), *domains]))
