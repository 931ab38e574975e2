"""The public names of `blocks`, by family."""

from blocks.core.aggregation import TabularAggregation
from blocks.core.as_tabular import AsTabular
from blocks.core.block import Block
from blocks.core.concat_features import ConcatFeatures
from blocks.core.cond import Cond
from blocks.core.cosine_similarity import CosineSimilarity
from blocks.core.element_wise_multiply import ElementWiseMultiply
from blocks.core.elementwise_sum import ElementwiseSum
from blocks.core.elementwise_sum_item_multi import ElementwiseSumItemMulti
from blocks.core.filter import Filter
from blocks.core.map_values import MapValues
from blocks.core.no_op import NoOp
from blocks.core.parallel import ParallelBlock
from blocks.core.prediction import Prediction
from blocks.core.repeated_block import RepeatedBlock
from blocks.core.residual_block import ResidualBlock
from blocks.core.sequential import SequentialBlock
from blocks.core.shortcut import ShortcutBlock
from blocks.core.stack_features import StackFeatures
from blocks.core.tabular import TabularBlock
from blocks.export import save_serving
from blocks.inputs.average_embeddings_by_weight_feature import AverageEmbeddingsByWeightFeature
from blocks.inputs.continuous import Continuous
from blocks.inputs.continuous_embedding import ContinuousEmbedding
from blocks.inputs.continuous_features import ContinuousFeatures
from blocks.inputs.continuous_projection import ContinuousProjection
from blocks.inputs.embedding_features import EmbeddingFeatures
from blocks.inputs.embedding_options import EmbeddingOptions
from blocks.inputs.embedding_table import EmbeddingTable
from blocks.inputs.embeddings import Embeddings
from blocks.inputs.feature_config import FeatureConfig
from blocks.inputs.input_block_v2 import InputBlockV2
from blocks.inputs.prepare_features import PrepareFeatures
from blocks.inputs.prepare_list_features import PrepareListFeatures
from blocks.inputs.pretrained_embeddings import PretrainedEmbeddings
from blocks.inputs.pretrained_vectors import PretrainedVectors
from blocks.inputs.replace_masked_embeddings import ReplaceMaskedEmbeddings
from blocks.inputs.table_config import TableConfig
from blocks.inputs.tensor_initializer import TensorInitializer
from blocks.interactions.cross_block import CrossBlock
from blocks.interactions.dot_product import DotProductInteraction, DotProductInteractionBlock
from blocks.interactions.fm_pairwise_interaction import FMPairwiseInteraction
from blocks.loader import Loader, sample_batch
from blocks.losses import (
    BPRLoss,
    BPRmaxLoss,
    CategoricalCrossEntropy,
    HingeLoss,
    LogisticLoss,
    PairwiseLoss,
    SparseCategoricalCrossEntropy,
    TOP1Loss,
    TOP1maxLoss,
    TOP1v2Loss,
    loss_registry,
)
from blocks.metrics import (
    AvgPrecisionAt,
    ItemCoverageAt,
    LogLossMetric,
    MRRAt,
    NDCGAt,
    NoveltyAt,
    PopularityBiasAt,
    PrecisionAt,
    RankingMetric,
    RecallAt,
    TopKMetricsAggregator,
    metrics_registry,
)
from blocks.mlp.dense import Dense
from blocks.mlp.dense_residual_block import DenseResidualBlock
from blocks.mlp.mlp_block import MLPBlock
from blocks.models.dlrm import DLRMBlock, DLRMModel
from blocks.models.model import Model
from blocks.outputs.binary_output import BinaryOutput
from blocks.outputs.categorical_output import CategoricalOutput
from blocks.outputs.categorical_target import CategoricalTarget
from blocks.outputs.column_based_sample_weight import ColumnBasedSampleWeight
from blocks.outputs.embedding_table_prediction import EmbeddingTablePrediction
from blocks.outputs.model_output import ModelOutput
from blocks.outputs.output_block import OutputBlock
from blocks.outputs.regression_output import RegressionOutput
from blocks.schema.functions import (
    categorical_cardinalities,
    categorical_domains,
    create_categorical_column,
    create_continuous_column,
    filter_dict_by_schema,
    get_embedding_size_from_cardinality,
    get_embedding_sizes_from_schema,
    infer_embedding_dim,
    schema_to_tensorflow_metadata_json,
    select_targets,
    tensorflow_metadata_json_to_schema,
)
from blocks.transforms.l2_norm import L2Norm
from blocks.transforms.logits_temperature_scaler import LogitsTemperatureScaler
from blocks.transforms.sequence_aggregator import SequenceAggregator
from blocks.utils.files import (
    get_filenames,
    get_label_feature_name,
    get_parquet_files_names,
    get_timestamp_feature_name,
    validate_dataset,
)
from blocks.utils.misc import filter_kwargs, get_object_size, safe_json
from blocks.utils.registry import (
    Registry,
    RegistryMixin,
    camelcase_to_snakecase,
    default_name,
    default_object_name,
    display_list_by_prefix,
    snakecase_to_camelcase,
)
from blocks.utils.timing import Timing

__all__ = [
    # Core
    "AsTabular",
    "Block",
    "Cond",
    "Filter",
    "MapValues",
    "NoOp",
    "ParallelBlock",
    "Prediction",
    "RepeatedBlock",
    "ResidualBlock",
    "SequentialBlock",
    "ShortcutBlock",
    "TabularBlock",
    # Aggregations
    "ConcatFeatures",
    "CosineSimilarity",
    "ElementWiseMultiply",
    "ElementwiseSum",
    "ElementwiseSumItemMulti",
    "StackFeatures",
    "TabularAggregation",
    # Inputs
    "AverageEmbeddingsByWeightFeature",
    "Continuous",
    "ContinuousEmbedding",
    "ContinuousFeatures",
    "ContinuousProjection",
    "EmbeddingFeatures",
    "EmbeddingOptions",
    "EmbeddingTable",
    "Embeddings",
    "FeatureConfig",
    "InputBlockV2",
    "PrepareFeatures",
    "PrepareListFeatures",
    "PretrainedEmbeddings",
    "PretrainedVectors",
    "ReplaceMaskedEmbeddings",
    "TableConfig",
    "TensorInitializer",
    # Building blocks
    "CrossBlock",
    "DLRMBlock",
    "Dense",
    "DenseResidualBlock",
    "DotProductInteraction",
    "DotProductInteractionBlock",
    "FMPairwiseInteraction",
    "MLPBlock",
    # Transformations
    "L2Norm",
    "LogitsTemperatureScaler",
    "SequenceAggregator",
    # Outputs
    "BinaryOutput",
    "CategoricalOutput",
    "CategoricalTarget",
    "ColumnBasedSampleWeight",
    "EmbeddingTablePrediction",
    "ModelOutput",
    "OutputBlock",
    "RegressionOutput",
    # Models
    "DLRMModel",
    "Model",
    "save_serving",
    # Losses
    "BPRLoss",
    "BPRmaxLoss",
    "CategoricalCrossEntropy",
    "HingeLoss",
    "LogisticLoss",
    "PairwiseLoss",
    "SparseCategoricalCrossEntropy",
    "TOP1Loss",
    "TOP1maxLoss",
    "TOP1v2Loss",
    "loss_registry",
    # Metrics
    "AvgPrecisionAt",
    "ItemCoverageAt",
    "LogLossMetric",
    "MRRAt",
    "NDCGAt",
    "NoveltyAt",
    "PopularityBiasAt",
    "PrecisionAt",
    "RankingMetric",
    "RecallAt",
    "TopKMetricsAggregator",
    "metrics_registry",
    # Data
    "Loader",
    "sample_batch",
    # Schema
    "categorical_cardinalities",
    "categorical_domains",
    "create_categorical_column",
    "create_continuous_column",
    "filter_dict_by_schema",
    "get_embedding_size_from_cardinality",
    "get_embedding_sizes_from_schema",
    "infer_embedding_dim",
    "schema_to_tensorflow_metadata_json",
    "select_targets",
    "tensorflow_metadata_json_to_schema",
    # Registries and names
    "Registry",
    "RegistryMixin",
    "camelcase_to_snakecase",
    "default_name",
    "default_object_name",
    "display_list_by_prefix",
    "snakecase_to_camelcase",
    # Utilities
    "Timing",
    "filter_kwargs",
    "get_filenames",
    "get_label_feature_name",
    "get_object_size",
    "get_parquet_files_names",
    "get_timestamp_feature_name",
    "safe_json",
    "validate_dataset",
]
