"""The public names of `blocks`, by family."""

from emrys.blocks.core.add_left import AddLeft
from emrys.blocks.core.aggregation import (
    ConcatFeatures,
    CosineSimilarity,
    ElementWiseMultiply,
    ElementwiseSum,
    ElementwiseSumItemMulti,
    StackFeatures,
    TabularAggregation,
)
from emrys.blocks.core.as_tabular import AsTabular
from emrys.blocks.core.block import Block, block_registry
from emrys.blocks.core.cond import Cond
from emrys.blocks.core.debug import Debug
from emrys.blocks.core.features import calculate_batch_size_from_inputs
from emrys.blocks.core.map_values import MapValues
from emrys.blocks.core.model_context import ModelContext
from emrys.blocks.core.no_op import NoOp
from emrys.blocks.core.parallel import ParallelBlock, ShortcutBlock
from emrys.blocks.core.prediction import Prediction, PredictionOutput
from emrys.blocks.core.rename import Rename
from emrys.blocks.core.repeated_block import RepeatedBlock
from emrys.blocks.core.residual_block import ResidualBlock
from emrys.blocks.core.sequential import SequentialBlock
from emrys.blocks.core.sum_residual import SumResidual
from emrys.blocks.core.tabular import Filter, TabularBlock
from emrys.blocks.core.traversal import get_sub_blocks
from emrys.blocks.inputs.average_embeddings_by_weight_feature import AverageEmbeddingsByWeightFeature
from emrys.blocks.inputs.continuous import Continuous
from emrys.blocks.inputs.continuous_embedding import ContinuousEmbedding
from emrys.blocks.inputs.continuous_powers import ContinuousPowers
from emrys.blocks.inputs.continuous_projection import ContinuousProjection
from emrys.blocks.inputs.embedding_features import EmbeddingFeatures
from emrys.blocks.inputs.embedding_options import EmbeddingOptions
from emrys.blocks.inputs.embedding_table import EmbeddingTable
from emrys.blocks.inputs.embeddings import Embeddings
from emrys.blocks.inputs.feature_config import FeatureConfig
from emrys.blocks.inputs.input_block_v2 import InputBlockV2
from emrys.blocks.inputs.prepare_features import PrepareFeatures
from emrys.blocks.inputs.prepare_list_features import PrepareListFeatures
from emrys.blocks.inputs.pretrained_embeddings import PretrainedEmbeddings
from emrys.blocks.inputs.pretrained_vectors import PretrainedVectors
from emrys.blocks.inputs.replace_masked_embeddings import ReplaceMaskedEmbeddings
from emrys.blocks.inputs.table_config import TableConfig, deserialize_table_config, serialize_table_config
from emrys.blocks.inputs.tensor_initializer import TensorInitializer
from emrys.blocks.interactions.cross_block import CrossBlock
from emrys.blocks.interactions.dot_product import DotProductInteraction, DotProductInteractionBlock
from emrys.blocks.interactions.fm_block import FactorSum, FMBlock, FMPairwiseInteraction
from emrys.blocks.interactions.wide_features import WideFeatures
from emrys.blocks.interactions.wide_logit import WideLogit
from emrys.blocks.legacy.continuous_features import ContinuousFeatures
from emrys.blocks.legacy.dual_encoder_block import DualEncoderBlock
from emrys.blocks.legacy.in_batch_sampler import InBatchSampler
from emrys.blocks.legacy.input_block import InputBlock
from emrys.blocks.legacy.item_retrieval_scorer import ItemRetrievalScorer
from emrys.blocks.legacy.item_retrieval_task import ItemRetrievalTask
from emrys.blocks.legacy.item_sampler import EmbeddingWithMetadata, ItemSampler
from emrys.blocks.legacy.matrix_factorization_block import MatrixFactorizationBlock
from emrys.blocks.legacy.popularity_based_sampler import PopularityBasedSampler
from emrys.blocks.legacy.prediction_tasks import (
    BinaryClassificationTask,
    MultiClassClassificationTask,
    ParallelPredictionBlock,
    PredictionTask,
    PredictionTasks,
    RegressionTask,
)
from emrys.blocks.legacy.query_item_ids_embeddings_block import QueryItemIdsEmbeddingsBlock
from emrys.blocks.legacy.retrieval_model import RetrievalModel
from emrys.blocks.legacy.retrieval_models import MatrixFactorizationModel, TwoTowerModel, YoutubeDNNRetrievalModel
from emrys.blocks.legacy.sequence_embedding_features import SequenceEmbeddingFeatures
from emrys.blocks.legacy.top_k_index_block import TopKIndexBlock
from emrys.blocks.legacy.two_tower_block import TwoTowerBlock
from emrys.blocks.loader import EmbeddingOperator, Loader, sample_batch
from emrys.blocks.losses import (
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
from emrys.blocks.metrics import (
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
    extract_topk,
    metrics_registry,
)
from emrys.blocks.mlp.dense_residual_block import DenseResidualBlock
from emrys.blocks.mlp.mlp_block import Dense, MLPBlock
from emrys.blocks.models import benchmark
from emrys.blocks.models.dcn import DCNModel
from emrys.blocks.models.deepfm import DeepFMModel
from emrys.blocks.models.dlrm import DLRMBlock, DLRMModel
from emrys.blocks.models.embedding_encoder import EmbeddingEncoder
from emrys.blocks.models.encoder import Encoder
from emrys.blocks.models.export import save_serving
from emrys.blocks.models.keras_sequence_validator import KerasSequenceValidator
from emrys.blocks.models.matrix_factorization import MatrixFactorizationModelV2
from emrys.blocks.models.model import Model
from emrys.blocks.models.model import Model as BaseModel
from emrys.blocks.models.ncf import NCFModel
from emrys.blocks.models.retrieval_model import RetrievalModelV2
from emrys.blocks.models.row_l2 import RowL2
from emrys.blocks.models.top_k_encoder import TopKEncoder
from emrys.blocks.models.two_tower import TwoTowerModelV2
from emrys.blocks.models.wide_and_deep import WideAndDeepModel
from emrys.blocks.models.youtube_dnn import YoutubeDNNRetrievalModelV2
from emrys.blocks.multi_task.cgc_block import CGCBlock
from emrys.blocks.multi_task.experts_gate import ExpertsGate
from emrys.blocks.multi_task.mmoe_block import MMOEBlock
from emrys.blocks.multi_task.ple_block import PLEBlock
from emrys.blocks.multi_task.tasks import get_task_names_from_outputs
from emrys.blocks.optimizers.lazy_adagrad import LazyAdagrad
from emrys.blocks.optimizers.lazy_adam import LazyAdam
from emrys.blocks.optimizers.lazy_loss_scale_optimizer import LazyLossScaleOptimizer
from emrys.blocks.optimizers.lazy_optimizer import LazyOptimizer
from emrys.blocks.optimizers.lazy_sgd import LazySGD
from emrys.blocks.optimizers.multi_optimizer import MultiOptimizer, OptimizerBlocks, split_embeddings_on_size
from emrys.blocks.outputs.categorical_output import CategoricalOutput
from emrys.blocks.outputs.categorical_target import CategoricalTarget
from emrys.blocks.outputs.column_based_sample_weight import ColumnBasedSampleWeight
from emrys.blocks.outputs.contrastive_output import ContrastiveOutput
from emrys.blocks.outputs.contrastive_sample_weight import ContrastiveSampleWeight
from emrys.blocks.outputs.dot_product import DotProduct
from emrys.blocks.outputs.embedding_table_prediction import EmbeddingTablePrediction
from emrys.blocks.outputs.items_prediction_weight_tying import ItemsPredictionWeightTying
from emrys.blocks.outputs.model_output import BinaryOutput, ModelOutput, RegressionOutput
from emrys.blocks.outputs.output_block import OutputBlock
from emrys.blocks.outputs.popularity_logits_correction import PopularityLogitsCorrection
from emrys.blocks.retrieval.approximate_top_k import ApproximateTopK, IndexReport
from emrys.blocks.retrieval.brute_force import BruteForce
from emrys.blocks.retrieval.hold_out_items import HoldOutItems
from emrys.blocks.retrieval.index_block import IndexBlock
from emrys.blocks.retrieval.seen_items import SeenItems
from emrys.blocks.retrieval.top_k_layer import TopKLayer, TopKPrediction
from emrys.blocks.retrieval.top_k_output import TopKOutput
from emrys.blocks.retrieval.unique_rows import unique_by_tag, unique_rows_by_features
from emrys.blocks.sampling.candidate_sampler import Candidate, CandidateSampler, sampler_registry
from emrys.blocks.sampling.cross_batch_sampler import CrossBatchSampler
from emrys.blocks.sampling.fifo_queue import FIFOQueue
from emrys.blocks.sampling.in_batch_negatives import InBatchNegatives
from emrys.blocks.sampling.in_batch_sampler_v2 import InBatchSamplerV2
from emrys.blocks.sampling.popularity_based_sampler_v2 import PopularityBasedSamplerV2
from emrys.blocks.schema.functions import (
    categorical_cardinalities,
    categorical_domains,
    create_categorical_column,
    create_continuous_column,
    expected_input_cols_from_schema,
    filter_dict_by_schema,
    get_embedding_size_from_cardinality,
    get_embedding_sizes_from_schema,
    infer_embedding_dim,
    schema_to_tensorflow_metadata_json,
    select_targets,
    tensorflow_metadata_json_to_schema,
)
from emrys.blocks.sequences.extract_mask_from_targets import ExtractMaskFromTargets
from emrys.blocks.sequences.sequence_mask import SequenceMaskLast, SequenceMaskRandom, SequenceTargetAsInput
from emrys.blocks.sequences.sequence_predict import SequencePredictLast, SequencePredictNext, SequencePredictRandom
from emrys.blocks.transformer.architectures import AlbertBlock, BertBlock, GPT2Block, RobertaBlock
from emrys.blocks.transformer.transformer_block import TransformerBlock
from emrys.blocks.transforms.broadcast_to_sequence import BroadcastToSequence
from emrys.blocks.transforms.category_encoding import CategoryEncoding
from emrys.blocks.transforms.expand_dims import ExpandDims
from emrys.blocks.transforms.hashed_cross import HashedCross, HashedCrossAll
from emrys.blocks.transforms.l2_norm import L2Norm
from emrys.blocks.transforms.list_conversion import ListToDense, ListToRagged, ListToSparse, ToDense, ToSparse
from emrys.blocks.transforms.logits_temperature_scaler import LogitsTemperatureScaler
from emrys.blocks.transforms.sequence_aggregator import SequenceAggregator
from emrys.blocks.transforms.stochastic_swap_noise import StochasticSwapNoise
from emrys.blocks.transforms.to_one_hot import ToOneHot
from emrys.blocks.transforms.to_target import ToTarget
from emrys.blocks.transforms.value_dropout import ValueDropout
from emrys.blocks.utils.examples_per_second import ExamplesPerSecondCallback
from emrys.blocks.utils.files import (
    get_filenames,
    get_label_feature_name,
    get_parquet_files_names,
    get_timestamp_feature_name,
    validate_dataset,
)
from emrys.blocks.utils.misc import filter_kwargs, get_object_size, safe_json
from emrys.blocks.utils.registry import (
    Registry,
    RegistryMixin,
    camelcase_to_snakecase,
    default_name,
    default_object_name,
    display_list_by_prefix,
    snakecase_to_camelcase,
)
from emrys.blocks.utils.timing import Timing

__all__ = [
    # Core
    "AsTabular",
    "Block",
    "Cond",
    "Debug",
    "Filter",
    "MapValues",
    "ModelContext",
    "NoOp",
    "ParallelBlock",
    "Prediction",
    "Rename",
    "RepeatedBlock",
    "ResidualBlock",
    "SequentialBlock",
    "ShortcutBlock",
    "TabularBlock",
    "calculate_batch_size_from_inputs",
    "get_sub_blocks",
    # Aggregations
    "AddLeft",
    "ConcatFeatures",
    "CosineSimilarity",
    "ElementWiseMultiply",
    "ElementwiseSum",
    "ElementwiseSumItemMulti",
    "StackFeatures",
    "SumResidual",
    "TabularAggregation",
    # Inputs
    "AverageEmbeddingsByWeightFeature",
    "Continuous",
    "ContinuousEmbedding",
    "ContinuousFeatures",
    "ContinuousPowers",
    "ContinuousProjection",
    "EmbeddingFeatures",
    "EmbeddingOptions",
    "EmbeddingTable",
    "Embeddings",
    "FeatureConfig",
    "InputBlock",
    "InputBlockV2",
    "PrepareFeatures",
    "PrepareListFeatures",
    "PretrainedEmbeddings",
    "PretrainedVectors",
    "ReplaceMaskedEmbeddings",
    "SequenceEmbeddingFeatures",
    "TableConfig",
    "TensorInitializer",
    "deserialize_table_config",
    "serialize_table_config",
    # Building blocks
    "CrossBlock",
    "DLRMBlock",
    "Dense",
    "DenseResidualBlock",
    "DotProductInteraction",
    "DotProductInteractionBlock",
    "FMBlock",
    "FMPairwiseInteraction",
    "FactorSum",
    "MLPBlock",
    "WideFeatures",
    "WideLogit",
    # Multi-task
    "CGCBlock",
    "ExpertsGate",
    "MMOEBlock",
    "PLEBlock",
    "get_task_names_from_outputs",
    # Transformations
    "CategoryEncoding",
    "HashedCross",
    "HashedCrossAll",
    "L2Norm",
    "LogitsTemperatureScaler",
    "SequenceAggregator",
    "ValueDropout",
    # Outputs
    "BinaryOutput",
    "CategoricalOutput",
    "CategoricalTarget",
    "ColumnBasedSampleWeight",
    "ContrastiveOutput",
    "ContrastiveSampleWeight",
    "DotProduct",
    "EmbeddingTablePrediction",
    "ItemsPredictionWeightTying",
    "ModelOutput",
    "OutputBlock",
    "PopularityLogitsCorrection",
    "RegressionOutput",
    "TopKOutput",
    # Retrieval
    "ApproximateTopK",
    "BruteForce",
    "EmbeddingEncoder",
    "Encoder",
    "HoldOutItems",
    "IndexBlock",
    "IndexReport",
    "SeenItems",
    "TopKEncoder",
    "TopKIndexBlock",
    "TopKLayer",
    "TopKPrediction",
    "unique_by_tag",
    "unique_rows_by_features",
    # Tasks (first generation)
    "BinaryClassificationTask",
    "ItemRetrievalScorer",
    "ItemRetrievalTask",
    "MultiClassClassificationTask",
    "ParallelPredictionBlock",
    "PredictionOutput",
    "PredictionTask",
    "PredictionTasks",
    "RegressionTask",
    # Models
    "DCNModel",
    "DLRMModel",
    "DeepFMModel",
    "BaseModel",
    "Model",
    "DualEncoderBlock",
    "MatrixFactorizationBlock",
    "MatrixFactorizationModel",
    "MatrixFactorizationModelV2",
    "NCFModel",
    "QueryItemIdsEmbeddingsBlock",
    "RetrievalModel",
    "RetrievalModelV2",
    "RowL2",
    "TwoTowerBlock",
    "TwoTowerModel",
    "TwoTowerModelV2",
    "WideAndDeepModel",
    "YoutubeDNNRetrievalModel",
    "YoutubeDNNRetrievalModelV2",
    "benchmark",
    "save_serving",
    # Optimizers
    "LazyAdagrad",
    "LazyAdam",
    "LazyLossScaleOptimizer",
    "LazyOptimizer",
    "LazySGD",
    "MultiOptimizer",
    "OptimizerBlocks",
    "split_embeddings_on_size",
    # Sampling
    "Candidate",
    "CandidateSampler",
    "CrossBatchSampler",
    "EmbeddingWithMetadata",
    "FIFOQueue",
    "InBatchNegatives",
    "InBatchSampler",
    "InBatchSamplerV2",
    "ItemSampler",
    "PopularityBasedSampler",
    "PopularityBasedSamplerV2",
    "sampler_registry",
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
    "extract_topk",
    "metrics_registry",
    # Data
    "EmbeddingOperator",
    "KerasSequenceValidator",
    "Loader",
    "sample_batch",
    # Schema
    "categorical_cardinalities",
    "categorical_domains",
    "create_categorical_column",
    "create_continuous_column",
    "expected_input_cols_from_schema",
    "filter_dict_by_schema",
    "get_embedding_size_from_cardinality",
    "get_embedding_sizes_from_schema",
    "infer_embedding_dim",
    "schema_to_tensorflow_metadata_json",
    "select_targets",
    "tensorflow_metadata_json_to_schema",
    # Registries and names
    "Registry",
    "block_registry",
    "RegistryMixin",
    "camelcase_to_snakecase",
    "default_name",
    "default_object_name",
    "display_list_by_prefix",
    "snakecase_to_camelcase",
    # Utilities
    "ExamplesPerSecondCallback",
    "Timing",
    "filter_kwargs",
    "get_filenames",
    "get_label_feature_name",
    "get_object_size",
    "get_parquet_files_names",
    "get_timestamp_feature_name",
    "safe_json",
    "validate_dataset",
    # Sequences
    "AlbertBlock",
    "BertBlock",
    "BroadcastToSequence",
    "ExpandDims",
    "ExtractMaskFromTargets",
    "GPT2Block",
    "ListToDense",
    "ListToRagged",
    "ListToSparse",
    "RobertaBlock",
    "SequenceMaskLast",
    "SequenceMaskRandom",
    "SequencePredictLast",
    "SequencePredictNext",
    "SequencePredictRandom",
    "SequenceTargetAsInput",
    "StochasticSwapNoise",
    "ToDense",
    "ToOneHot",
    "ToSparse",
    "ToTarget",
    "TransformerBlock",
]
