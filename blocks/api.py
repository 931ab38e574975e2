"""The public names of `blocks`, by family."""

from blocks.core.add_left import AddLeft
from blocks.core.aggregation import TabularAggregation
from blocks.core.as_tabular import AsTabular
from blocks.core.block import Block
from blocks.core.concat_features import ConcatFeatures
from blocks.core.cond import Cond
from blocks.core.cosine_similarity import CosineSimilarity
from blocks.core.debug import Debug
from blocks.core.element_wise_multiply import ElementWiseMultiply
from blocks.core.elementwise_sum import ElementwiseSum
from blocks.core.elementwise_sum_item_multi import ElementwiseSumItemMulti
from blocks.core.filter import Filter
from blocks.core.map_values import MapValues
from blocks.core.model_context import ModelContext
from blocks.core.no_op import NoOp
from blocks.core.parallel import ParallelBlock
from blocks.core.prediction import Prediction
from blocks.core.registry import block_registry
from blocks.core.rename import Rename
from blocks.core.repeated_block import RepeatedBlock
from blocks.core.residual_block import ResidualBlock
from blocks.core.sequential import SequentialBlock
from blocks.core.shortcut import ShortcutBlock
from blocks.core.stack_features import StackFeatures
from blocks.core.sum_residual import SumResidual
from blocks.core.tabular import TabularBlock
from blocks.export import save_serving
from blocks.inputs.average_embeddings_by_weight_feature import AverageEmbeddingsByWeightFeature
from blocks.inputs.continuous import Continuous
from blocks.inputs.continuous_embedding import ContinuousEmbedding
from blocks.inputs.continuous_features import ContinuousFeatures
from blocks.inputs.continuous_powers import ContinuousPowers
from blocks.inputs.continuous_projection import ContinuousProjection
from blocks.inputs.embedding_features import EmbeddingFeatures
from blocks.inputs.embedding_options import EmbeddingOptions
from blocks.inputs.embedding_table import EmbeddingTable
from blocks.inputs.embeddings import Embeddings
from blocks.inputs.feature_config import FeatureConfig
from blocks.inputs.input_block import InputBlock
from blocks.inputs.input_block_v2 import InputBlockV2
from blocks.inputs.prepare_features import PrepareFeatures
from blocks.inputs.prepare_list_features import PrepareListFeatures
from blocks.inputs.pretrained_embeddings import PretrainedEmbeddings
from blocks.inputs.pretrained_vectors import PretrainedVectors
from blocks.inputs.replace_masked_embeddings import ReplaceMaskedEmbeddings
from blocks.inputs.sequence_embedding_features import SequenceEmbeddingFeatures
from blocks.inputs.table_config import TableConfig
from blocks.inputs.tensor_initializer import TensorInitializer
from blocks.interactions.cross_block import CrossBlock
from blocks.interactions.dot_product import DotProductInteraction, DotProductInteractionBlock
from blocks.interactions.factor_sum import FactorSum
from blocks.interactions.fm_block import FMBlock
from blocks.interactions.fm_pairwise_interaction import FMPairwiseInteraction
from blocks.interactions.wide_features import WideFeatures
from blocks.interactions.wide_logit import WideLogit
from blocks.loader import EmbeddingOperator, Loader, sample_batch
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
from blocks.models.base_model import BaseModel
from blocks.models.dcn import DCNModel
from blocks.models.deepfm import DeepFMModel
from blocks.models.dlrm import DLRMBlock, DLRMModel
from blocks.models.matrix_factorization import MatrixFactorizationModel, MatrixFactorizationModelV2
from blocks.models.model import Model
from blocks.models.ncf import NCFModel
from blocks.models.retrieval_model import RetrievalModel
from blocks.models.retrieval_model_v2 import RetrievalModelV2
from blocks.models.row_l2 import RowL2
from blocks.models.two_tower import TwoTowerModel, TwoTowerModelV2
from blocks.models.wide_and_deep import WideAndDeepModel
from blocks.models.youtube_dnn import YoutubeDNNRetrievalModel, YoutubeDNNRetrievalModelV2
from blocks.multi_task.cgc_block import CGCBlock
from blocks.multi_task.experts_gate import ExpertsGate
from blocks.multi_task.mmoe_block import MMOEBlock
from blocks.multi_task.ple_block import PLEBlock
from blocks.optimizers.lazy_adagrad import LazyAdagrad
from blocks.optimizers.lazy_adam import LazyAdam
from blocks.optimizers.lazy_loss_scale_optimizer import LazyLossScaleOptimizer
from blocks.optimizers.lazy_optimizer import LazyOptimizer
from blocks.optimizers.lazy_sgd import LazySGD
from blocks.optimizers.multi_optimizer import MultiOptimizer
from blocks.optimizers.optimizer_blocks import OptimizerBlocks
from blocks.optimizers.split_embeddings_on_size import split_embeddings_on_size
from blocks.outputs.binary_output import BinaryOutput
from blocks.outputs.categorical_output import CategoricalOutput
from blocks.outputs.categorical_target import CategoricalTarget
from blocks.outputs.column_based_sample_weight import ColumnBasedSampleWeight
from blocks.outputs.contrastive_output import ContrastiveOutput
from blocks.outputs.contrastive_sample_weight import ContrastiveSampleWeight
from blocks.outputs.dot_product import DotProduct
from blocks.outputs.embedding_table_prediction import EmbeddingTablePrediction
from blocks.outputs.items_prediction_weight_tying import ItemsPredictionWeightTying
from blocks.outputs.model_output import ModelOutput
from blocks.outputs.output_block import OutputBlock
from blocks.outputs.popularity_logits_correction import PopularityLogitsCorrection
from blocks.outputs.regression_output import RegressionOutput
from blocks.outputs.top_k_output import TopKOutput
from blocks.retrieval.approximate_top_k import ApproximateTopK, IndexReport
from blocks.retrieval.brute_force import BruteForce
from blocks.retrieval.dual_encoder_block import DualEncoderBlock
from blocks.retrieval.embedding_encoder import EmbeddingEncoder
from blocks.retrieval.encoder import Encoder
from blocks.retrieval.hold_out_items import HoldOutItems
from blocks.retrieval.index_block import IndexBlock
from blocks.retrieval.item_retrieval_scorer import ItemRetrievalScorer
from blocks.retrieval.matrix_factorization_block import MatrixFactorizationBlock
from blocks.retrieval.prediction_output import PredictionOutput
from blocks.retrieval.query_item_ids_embeddings_block import QueryItemIdsEmbeddingsBlock
from blocks.retrieval.seen_items import SeenItems
from blocks.retrieval.top_k_encoder import TopKEncoder
from blocks.retrieval.top_k_index_block import TopKIndexBlock
from blocks.retrieval.top_k_layer import TopKLayer
from blocks.retrieval.top_k_prediction import TopKPrediction
from blocks.retrieval.two_tower_block import TwoTowerBlock
from blocks.retrieval.unique_rows import unique_by_tag, unique_rows_by_features
from blocks.sampling.candidate import Candidate
from blocks.sampling.candidate_sampler import CandidateSampler, sampler_registry
from blocks.sampling.cross_batch_sampler import CrossBatchSampler
from blocks.sampling.embedding_with_metadata import EmbeddingWithMetadata
from blocks.sampling.fifo_queue import FIFOQueue
from blocks.sampling.in_batch_negatives import InBatchNegatives
from blocks.sampling.in_batch_sampler import InBatchSampler
from blocks.sampling.in_batch_sampler_v2 import InBatchSamplerV2
from blocks.sampling.item_sampler import ItemSampler
from blocks.sampling.popularity_based_sampler import PopularityBasedSampler
from blocks.sampling.popularity_based_sampler_v2 import PopularityBasedSamplerV2
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
from blocks.sequences.sequence_mask_last import SequenceMaskLast
from blocks.sequences.sequence_mask_random import SequenceMaskRandom
from blocks.sequences.sequence_predict_last import SequencePredictLast
from blocks.sequences.sequence_predict_next import SequencePredictNext
from blocks.sequences.sequence_predict_random import SequencePredictRandom
from blocks.sequences.sequence_target_as_input import SequenceTargetAsInput
from blocks.tasks.binary_classification_task import BinaryClassificationTask
from blocks.tasks.item_retrieval_task import ItemRetrievalTask
from blocks.tasks.multi_class_classification_task import MultiClassClassificationTask
from blocks.tasks.parallel_prediction_block import ParallelPredictionBlock
from blocks.tasks.prediction_task import PredictionTask
from blocks.tasks.prediction_tasks import PredictionTasks
from blocks.tasks.regression_task import RegressionTask
from blocks.transformer.albert_block import AlbertBlock
from blocks.transformer.bert_block import BertBlock
from blocks.transformer.gpt2_block import GPT2Block
from blocks.transformer.roberta_block import RobertaBlock
from blocks.transformer.transformer_block import TransformerBlock
from blocks.transforms.broadcast_to_sequence import BroadcastToSequence
from blocks.transforms.category_encoding import CategoryEncoding
from blocks.transforms.expand_dims import ExpandDims
from blocks.transforms.hashed_cross import HashedCross
from blocks.transforms.hashed_cross_all import HashedCrossAll
from blocks.transforms.l2_norm import L2Norm
from blocks.transforms.list_to_dense import ListToDense
from blocks.transforms.list_to_ragged import ListToRagged
from blocks.transforms.list_to_sparse import ListToSparse
from blocks.transforms.logits_temperature_scaler import LogitsTemperatureScaler
from blocks.transforms.sequence_aggregator import SequenceAggregator
from blocks.transforms.stochastic_swap_noise import StochasticSwapNoise
from blocks.transforms.to_dense import ToDense
from blocks.transforms.to_one_hot import ToOneHot
from blocks.transforms.to_sparse import ToSparse
from blocks.transforms.to_target import ToTarget
from blocks.transforms.value_dropout import ValueDropout
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
    "metrics_registry",
    # Data
    "EmbeddingOperator",
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
    "block_registry",
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
    # Sequences
    "AlbertBlock",
    "BertBlock",
    "BroadcastToSequence",
    "ExpandDims",
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
