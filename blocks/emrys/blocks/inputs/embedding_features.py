"""`EmbeddingFeatures`: embeddings of features whose tables are configured one by one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self, Unpack

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from merlin.schema import Schema, Tags

from emrys.blocks.core.block import UnnamedBlockArguments
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.features import prepare, prepared_shape
from emrys.blocks.core.gather import combine
from emrys.blocks.core.l2_normalize import l2_normalize
from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.core.serializing import from_config, to_config
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.inputs.embedding_options import EmbeddingOptions
from emrys.blocks.inputs.embedding_table import EmbeddingTable
from emrys.blocks.inputs.embeddings import columns_with_domain
from emrys.blocks.inputs.feature_config import FeatureConfig
from emrys.blocks.inputs.feature_tables import make_tables, with_table_names
from emrys.blocks.inputs.table_config import TableConfig
from emrys.blocks.io import atomic_file
from emrys.blocks.schema.functions import categorical_cardinalities, categorical_domains, select_targets

if TYPE_CHECKING:
    from merlin.io import Dataset


@keras.saving.register_keras_serializable("emrys")
class EmbeddingFeatures(ParallelBlock):
    """Looks up categorical features in individually configured tables; see `Embeddings` for the tables of a schema.

    Args:
        feature_config: Configuration of the table of each feature. Features with one table share it.
        pre: Layer before the lookup. Default: none.
        post: Layer on the dictionary of embeddings. Default: none.
        aggregation: Aggregation of the embeddings to one tensor, such as `"concat"`. Default: none.
        schema: The columns. Default: created from the names.
        name: Name of the block.
        add_default_pre: Whether features may come in the forms that `Model(prep_features=True)` takes: scalars (B,),
            lists as two tensors. Default: True.
        l2_reg: Weight, in the loss, of the sum of squares of the vectors that a batch looks up. Default: 0.
        tables: Existing tables by name, such as tables shared with an output. Default: created from
            `feature_config`.

    Input shape:
        Dictionary of ids (B, 1) or lists of ids, (B, L) or ragged (B, None), by feature name.

    Output shape:
        Dictionary of (B, D) by feature name, or its aggregation.

    Raises:
        ConfigError: if `feature_config` is none, or two tables of one name differ.
        SchemaError: if a table is smaller than the domain of a column that it is for.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> items = mm.TableConfig(vocabulary_size=10, dim=4)
        >>> block = mm.EmbeddingFeatures({"item": mm.FeatureConfig(items), "last_item": mm.FeatureConfig(items)})
        >>> tuple(block({"item": np.array([[1]]), "last_item": np.array([[7]])})["last_item"].shape)
        (1, 4)
        >>> len(block.weights)
        1
    """

    #: Whether the rows of a list are combined into one.
    _combines = True

    def __init__(
        self,
        feature_config: Mapping[str, FeatureConfig],
        pre: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
        post: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
        aggregation: str | keras.layers.Layer | None = None,
        schema: Schema | None = None,
        name: str | None = None,
        add_default_pre: bool = True,
        l2_reg: float = 0.0,
        tables: Mapping[str, EmbeddingTable] | None = None,
        **kwargs: Unpack[UnnamedBlockArguments],
    ) -> None:
        features = with_table_names(feature_config)
        tables_by_name = dict(tables) if tables is not None else make_tables(features, schema, self._combines)
        super().__init__(
            tables_by_name,
            pre=pre,
            post=post,
            aggregation=aggregation,
            schema=schema,
            name=name,
            is_input=True,
            **kwargs,
        )
        self.feature_config = features
        self.add_default_pre = add_default_pre
        self.l2_reg = l2_reg

    @classmethod
    def from_schema(  # type: ignore[override]  # the options come before the tags, as released
        cls,
        schema: Schema,
        embedding_options: EmbeddingOptions | None = None,
        tags: Tags | Sequence[Tags] | None = None,
        max_sequence_length: int | None = None,
        allow_none: bool = True,
        **kwargs: Any,
    ) -> Self | None:
        """Creates the block, with one table for each domain of the categorical columns of a schema.

        Args:
            schema: The columns; targets are left out.
            embedding_options: Dimensions, initializers and the like. Default: those of `EmbeddingOptions`, so that
                every dimension is 64.
            tags: Only columns with one of these tags. Default: all.
            max_sequence_length: See `FeatureConfig`. Default: none.
            allow_none: Whether the schema may have no such column. Default: True.
            **kwargs: The block's other arguments.

        Returns:
            The block, or None if there is no such column.

        Raises:
            SchemaError: if a column tagged CATEGORICAL has no domain, or there is none and `allow_none` is False.
        """
        options = EmbeddingOptions() if embedding_options is None else embedding_options
        columns = schema.excluding_by_name(select_targets(schema).column_names)
        columns = columns if tags is None else columns.select_by_tag(tags)
        with_domain = columns_with_domain(columns.select_by_tag(Tags.CATEGORICAL), cls.__name__)
        columns = columns.select_by_name([column.name for column in with_domain])
        sizes, domains = categorical_cardinalities(columns), categorical_domains(columns)
        if len(columns) == 0:
            if allow_none:
                return None
            raise SchemaError(f"{cls.__name__} finds nothing to embed", expected="columns tagged CATEGORICAL")
        features: dict[str, FeatureConfig] = {}
        tables: dict[str, TableConfig] = {}
        for column in columns:
            if domains[column.name] in tables:
                features[column.name] = FeatureConfig(tables[domains[column.name]], max_sequence_length or 0)
                continue
            sharing = [candidate for candidate in columns if domains[candidate.name] == domains[column.name]]
            initializer = options.initializer(*sharing)
            table = TableConfig(
                sizes[column.name],
                options.dim(*sharing),
                keras.initializers.TruncatedNormal(stddev=0.05) if initializer is None else initializer,
                combiner=options.combiner,
                name=domains[column.name],
            )
            tables[domains[column.name]] = table
            features[column.name] = FeatureConfig(table, max_sequence_length or 0)
        return cls(features, schema=columns, l2_reg=options.embeddings_l2_reg, **kwargs)

    @property
    def embedding_tables(self) -> Mapping[str, EmbeddingTable]:
        """The tables by name, read-only."""
        # Not a dictionary: on saving, Keras looks for weights in the dictionaries that properties return.
        return MappingProxyType(self.branches)

    def build(self, input_shape: Shape) -> None:
        """Builds the tables."""
        super().build(prepared_shape(input_shape) if self.add_default_pre else input_shape)

    def call(
        self,
        inputs: tf.Tensor | Mapping[str, tf.Tensor],
        training: bool | None = None,
        testing: bool | None = None,
        features: Mapping[str, tf.Tensor] | None = None,
        targets: tf.Tensor | Mapping[str, tf.Tensor] | None = None,
    ) -> Any:
        """Returns the embeddings of the features."""
        batch = prepare(inputs) if self.add_default_pre else inputs
        return super().call(batch, training=training, testing=testing, features=features, targets=targets)

    def post_call(self, inputs: tf.Tensor | Mapping[str, tf.Tensor], *args: Any, **kwargs: object) -> Any:
        """Adds the L2 penalty of the embeddings to the loss, and applies `post` and the aggregation."""
        if self.l2_reg:
            squares = [tf.reduce_sum(tf.square(tf.cast(rows, "float32"))) for rows in inputs.values()]
            self.add_loss(self.l2_reg * tf.add_n(squares))
        return super().post_call(inputs, *args, **kwargs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns (B, D) by feature name, or the shape of its aggregation."""
        return super().compute_output_shape(prepared_shape(input_shape) if self.add_default_pre else input_shape)

    def compute_call_output_shape(self, input_shapes: Shape) -> dict[str, Any]:
        """Returns the shapes of the embeddings by feature name, before `post` and the aggregation."""
        shapes = prepared_shape(input_shapes) if self.add_default_pre else as_shape(input_shapes)
        output_shapes: dict[str, Any] = {}
        for table in self.branches.values():
            output_shapes.update(as_shape(table.compute_output_shape(shapes)))
        return output_shapes

    def lookup_feature(self, name: str, val: tf.Tensor, output_sequence: bool = False) -> Any:
        """Looks up ids of one feature.

        Args:
            name: The feature.
            val: Its ids.
            output_sequence: Whether lists stay lists instead of being combined. Default: False.

        Returns:
            (B, D), or (B, L, D) for lists that stay lists.
        """
        config = self.table_config(name)
        table = self.branches[str(config.name)]
        uncombined = EmbeddingTable(table.dim, *table.schema.select_by_name(name), table=table)
        rows = uncombined(val)
        return rows if output_sequence or len(rows.shape) < 3 else combine(rows, config.combiner)

    def table_config(self, feature_name: str) -> TableConfig:
        """Returns the configuration of the table of a feature.

        Raises:
            SchemaError: if there is no such feature.
        """
        if feature_name not in self.feature_config:
            expected = ", ".join(self.feature_config)
            raise SchemaError(f"{self.name} has no such feature", column=feature_name, expected=expected)
        return self.feature_config[feature_name].table

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = super().get_config()
        for derived in ("branches", "strict", "is_input"):
            config.pop(derived)
        # A list of pairs: a saved model's JSON has its keys sorted, and the order of the tables matters.
        features = [[name, to_config(feature)] for name, feature in self.feature_config.items()]
        return {
            **config,
            "feature_config": features,
            # A table shared with an output is restored as one table only if it is in the configuration itself.
            "tables": [[name, to_config(table)] for name, table in self.branches.items()],
            "add_default_pre": self.add_default_pre,
            "l2_reg": self.l2_reg,
        }

    @classmethod
    def from_config(cls, config: dict[str, object]) -> Self:
        """Creates the block from the configuration that `get_config` returned."""
        arguments = from_config(config)
        return cls(dict(arguments.pop("feature_config")), tables=dict(arguments.pop("tables")), **arguments)

    def get_embedding_table(self, table_name: str | Tags, l2_normalization: bool = False) -> Any:
        """Returns the rows of a table, a variable (number of ids, D); a tensor if they are scaled.

        Args:
            table_name: Name of the table, or a tag of a column that it is for.
            l2_normalization: Whether rows are scaled to length 1. Default: False.

        Raises:
            ConfigError: if there is no such table.
        """
        rows = self._table(table_name).embeddings
        return l2_normalize(keras.ops.convert_to_tensor(rows)) if l2_normalization else rows

    def embedding_table_df(
        self, table_name: str | Tags, l2_normalization: bool = False, gpu: bool = True
    ) -> pd.DataFrame:
        """Returns the rows of a table as a data frame; see `get_embedding_table` and `EmbeddingTable.to_df`."""
        frame = self._table(table_name).to_df(gpu)
        if l2_normalization:
            rows = np.asarray(self.get_embedding_table(table_name, l2_normalization=True))
            frame = pd.DataFrame(rows, columns=frame.columns)
        return frame

    def embedding_table_dataset(
        self, table_name: str | Tags, l2_normalization: bool = False, gpu: bool = True
    ) -> Dataset:
        """Returns the rows of a table as a `merlin.io.Dataset`; see `embedding_table_df`."""
        from merlin.io import Dataset  # imported here: it starts Dask

        return Dataset(self.embedding_table_df(table_name, l2_normalization, gpu))

    def export_embedding_table(
        self,
        table_name: str | Tags,
        export_path: str | os.PathLike[str],
        l2_normalization: bool = False,
        gpu: bool = True,
    ) -> None:
        """Writes the rows of a table to a Parquet file; see `embedding_table_df`."""
        with atomic_file(export_path) as path:
            self.embedding_table_df(table_name, l2_normalization, gpu).to_parquet(path)

    def _table(self, table_name: str | Tags) -> EmbeddingTable:
        tables: dict[str, EmbeddingTable] = self.branches
        for name, table in tables.items():
            if name == table_name or (isinstance(table_name, Tags) and len(table.schema.select_by_tag(table_name))):
                return table
        raise ConfigError(f"{self.name} has no such table", expected=", ".join(self.branches), got=str(table_name))
