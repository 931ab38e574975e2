"""Models to save: one of each public constructor, and one around each block of the shared check."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from tests.blocks.checks import small_batch, small_schema
from tests.blocks.models.models import dlrm, every_input_batch, every_input_model
from tests.blocks.models.retrieval import HISTORY, SCHEMA, catalogue, first, histories, log, two_tower
from tests.blocks.test_blocks import BLOCKS
from tests.saved.layers import IsPositive, ScoredWithIds


@dataclass(frozen=True)
class Case:
    """A model to save.

    Args:
        make: Makes it, compiled if it is to be evaluated.
        inputs: A batch of features.
        targets: Its targets. Default: none.
        evaluate: Whether what `evaluate` gives is kept. Default: False.
        steps: Training steps before it is saved. Default: 0.
        further: Whether its outputs after one more training step are kept, for models that draw nothing at random.
        random: Whether its outputs differ from call to call, so that none are kept. Default: False.
    """

    make: Callable[[], keras.Model]
    inputs: Any
    targets: Any = None
    evaluate: bool = False
    steps: int = 0
    further: bool = False
    random: bool = False


_FEATURES, _TARGETS = small_batch(8)
_CLICK = {"click": _TARGETS["click"]}
_CLICKS = small_schema().excluding_by_name(["rating"])
_COLUMNS = small_schema().excluding_by_name(["click", "rating"])
_IDS = _COLUMNS.select_by_name(["user_id", "country", "item_id"])
_PAIRS = first(log(), 8)
_DRAW = np.random.default_rng(5)
_VECTORS = tf.constant(_DRAW.normal(size=(4, 3)), "float32")
_CANDIDATES = _DRAW.normal(size=(9, 3)).astype("float32")
_CANDIDATE_IDS = np.arange(9) + 5
_LISTS = {"dtype": "int64", "min_value_count": 2, "max_value_count": 5}
_SESSIONS = Schema(
    [
        mm.create_categorical_column("items", 12, tags=[Tags.ITEM_ID, Tags.SEQUENCE], **_LISTS),
        mm.create_categorical_column("genres", 5, tags=[Tags.SEQUENCE], **_LISTS),
    ]
)
_SESSION_BATCH = {
    "items": tf.RaggedTensor.from_row_lengths(_DRAW.integers(1, 13, 14), [3, 2, 5, 4]),
    "genres": tf.RaggedTensor.from_row_lengths(_DRAW.integers(1, 6, 14), [3, 2, 5, 4]),
}


def _compiled(model: keras.Model, optimizer: Any = None, **kwargs: Any) -> keras.Model:
    model.compile(keras.optimizers.SGD(0.05) if optimizer is None else optimizer, **kwargs)
    return model


def _ranking(make: Callable[[], keras.Model], further: bool = True) -> Case:
    return Case(lambda: _compiled(make()), _FEATURES, _CLICK, evaluate=True, steps=1, further=further)


def _retrieval(make: Callable[[], keras.Model]) -> Case:
    return Case(lambda: _compiled(make()), _PAIRS, evaluate=True, steps=1, further=True)


def _multi_task(block: Callable[[Any], keras.layers.Layer]) -> Case:
    def make() -> keras.Model:
        outputs = mm.OutputBlock(small_schema())
        inputs = mm.InputBlockV2(_COLUMNS, categorical=mm.Embeddings(_COLUMNS.select_by_tag(Tags.CATEGORICAL), dim=3))
        return _compiled(mm.Model(inputs, block(outputs), outputs))

    return Case(make, _FEATURES, _TARGETS, evaluate=True, steps=1, further=True)


def _trained_with(optimizer: Callable[[], keras.optimizers.Optimizer]) -> Case:
    return Case(
        lambda: _compiled(dlrm(schema=_CLICKS), optimizer()), _FEATURES, _CLICK, evaluate=True, steps=1, further=True
    )


def _multi_optimizer_model() -> keras.Model:
    tables, body = mm.Embeddings(_COLUMNS.select_by_tag(Tags.CATEGORICAL), dim=3), mm.MLPBlock([4])
    model = mm.Model(mm.InputBlockV2(_COLUMNS, categorical=tables), body, mm.BinaryOutput("click"))
    pairs = [mm.OptimizerBlocks(mm.LazyAdam(0.05), tables), mm.OptimizerBlocks(mm.LazyAdagrad(0.1), [body])]
    return _compiled(model, mm.MultiOptimizer(pairs, default_optimizer=mm.LazySGD(0.05)))


def _split_by_size_model() -> keras.Model:
    tables = mm.Embeddings(_COLUMNS.select_by_tag(Tags.CATEGORICAL), dim=3)
    large, small = mm.split_embeddings_on_size(tables, 10)
    model = mm.Model(mm.InputBlockV2(_COLUMNS, categorical=tables), mm.MLPBlock([4]), mm.BinaryOutput("click"))
    pairs = [mm.OptimizerBlocks(mm.LazyAdam(0.05), large), mm.OptimizerBlocks("adagrad", small)]
    return _compiled(model, mm.MultiOptimizer(pairs, default_optimizer="adam"))


def _session_model(block: type, transform: type | None, **options: Any) -> keras.Model:
    tables = mm.Embeddings(_SESSIONS.select_by_tag(Tags.CATEGORICAL), dim=4, sequence_combiner=None)
    transformer = block(d_model=8, n_head=2, n_layer=1, dropout=0.0, max_position_embeddings=6, **options)
    pre = None if transform is None else transform(_SESSIONS, "items", transformer=transformer)
    output = mm.CategoricalOutput(_SESSIONS.select_by_name("items"))
    inputs = mm.InputBlockV2(_SESSIONS, categorical=tables)
    return _compiled(mm.Model(inputs, transformer, output, pre=pre), metrics=[mm.RecallAt(3)])


def _session(block: type, transform: type | None = None, masked: bool = False, **kwargs: Any) -> Case:
    options = {"predicts": "masked"} if masked else {}
    return Case(lambda: _session_model(block, transform, **options), _SESSION_BATCH, **kwargs)


def _own_architecture() -> keras.Model:
    continuous = mm.ContinuousFeatures.from_schema(_COLUMNS, tags=Tags.CONTINUOUS).connect(mm.MLPBlock([4]))
    embeddings = mm.EmbeddingFeatures.from_schema(_IDS, embedding_options=mm.EmbeddingOptions(embedding_dim_default=4))
    inputs = mm.ParallelBlock({"embeddings": embeddings, "deep_continuous": continuous})
    interaction = inputs.connect_with_shortcut(
        mm.DotProductInteractionBlock(), shortcut_filter=mm.Filter("deep_continuous"), aggregation="concat"
    )
    return _compiled(mm.Model(interaction.connect(mm.MLPBlock([4, 3])), mm.BinaryOutput("click")))


def _frozen() -> keras.Model:
    model = dlrm(schema=_CLICKS)
    model(_FEATURES)
    model.freeze_blocks(["top"])
    return _compiled(model)


def _with_pretrained_table() -> keras.Model:
    table = mm.EmbeddingTable(
        3, _COLUMNS["user_id"], embeddings_initializer=mm.TensorInitializer(np.arange(30.0).reshape(10, 3) / 30)
    )
    return _compiled(mm.Model(mm.ParallelBlock({"user_id": table}, aggregation="concat"), mm.BinaryOutput("click")))


def _top_k(layer: Any = "brute-force-topk", **kwargs: Any) -> keras.Model:
    encoder = mm.TopKEncoder(mm.Encoder(_IDS, mm.MLPBlock([3])), layer, target="item", **kwargs)
    return encoder.index_candidates(_CANDIDATES, _CANDIDATE_IDS)


def _evaluated(encoder: keras.Model) -> keras.Model:
    encoder.compile(metrics=[mm.RecallAt(2), mm.NDCGAt(3)])
    return encoder


def _of_two_towers() -> keras.Model:
    model = two_tower()
    model(_PAIRS)
    return model.to_top_k_encoder(catalogue(), k=3, batch_size=8)


def _items_metrics() -> keras.Model:
    ranking = [mm.AvgPrecisionAt(3), mm.MRRAt(3), mm.NDCGAt(3), mm.PrecisionAt(3), mm.RecallAt(3)]
    metrics = [
        mm.TopKMetricsAggregator(*ranking),
        mm.RecallAt(5),
        mm.NDCGAt(5),
        mm.MRRAt(5),
        mm.PrecisionAt(5),
        mm.AvgPrecisionAt(5),
    ]
    return _compiled(mm.Model(mm.Dense(4), mm.CategoricalOutput(_COLUMNS["item_id"])), metrics=metrics)


def _recommendation_metrics() -> keras.Model:
    frequencies = (np.arange(60) + 1.0).tolist()
    metrics = [mm.ItemCoverageAt(60, 3), mm.NoveltyAt(frequencies, 3), mm.PopularityBiasAt(frequencies, 3)]
    encoder = _top_k(k=3)
    encoder.compile(metrics=metrics)
    return encoder


def _loss_case(loss: Callable[[], keras.losses.Loss]) -> Case:
    return Case(lambda: _compiled(two_tower(), loss=loss()), _PAIRS, evaluate=True, steps=1, further=True)


def _category_loss(loss: Callable[[], keras.losses.Loss], target: Any) -> Case:
    def make() -> keras.Model:
        return _compiled(mm.Model(mm.Dense(4), mm.CategoricalOutput(_COLUMNS["item_id"])), loss=loss())

    return Case(make, _VECTORS, {"item_id": target}, evaluate=True, steps=1, further=True)


def _task_model(*samplers: Any) -> keras.Model:
    user, item = SCHEMA.select_by_name("user_id"), SCHEMA.select_by_name("item_id")
    towers = mm.ParallelBlock(
        {
            "query": mm.Embeddings(user, dim=3, aggregation="concat"),
            "item": mm.Embeddings(item, dim=3, aggregation="concat"),
        }
    )
    return _compiled(mm.Model(towers, mm.ItemRetrievalTask(item, samplers=list(samplers))))


def _sampled_output(sampler: Any) -> keras.Model:
    output = mm.ContrastiveOutput(SCHEMA["item_id"], sampler, "y")
    return mm.Model(mm.Dense(3), output)


_RIGHT = {"item": np.array([[5], [7], [13], [9], [6], [5], [8], [10]])}
_SEEN_ITEMS = tf.RaggedTensor.from_row_lengths(np.array([5, 6, 7, 13, 9]), [2, 0, 1, 0, 1, 0, 1, 0])
_WITH_SEEN = {**_FEATURES, "seen_items": _SEEN_ITEMS}
_INTS = {"item_id": np.array([[3], [5], [3], [7]])}
_SEEN = {
    **_FEATURES,
    "seen_items": tf.RaggedTensor.from_row_lengths(np.array([5, 6, 7, 13, 9]), [2, 0, 1, 0, 1, 0, 1, 0]),
}


def _youtube(make: Callable[[], keras.Model]) -> Case:
    return Case(lambda: _compiled(make()), first(histories()))


MODELS: dict[str, Case] = {
    # Ranking models
    "model DLRMModel": _ranking(lambda: dlrm(schema=_CLICKS)),
    "model DLRMModel two tasks": Case(
        lambda: _compiled(dlrm()), _FEATURES, _TARGETS, evaluate=True, steps=1, further=True
    ),
    "model DeepFMModel": _ranking(lambda: mm.DeepFMModel(_CLICKS, embedding_dim=3, deep_block=mm.MLPBlock([4]))),
    # The default embeddings of these are dropped at random in training.
    "model DCNModel": _ranking(lambda: mm.DCNModel(_CLICKS, 2, mm.MLPBlock([4])), further=False),
    "model DCNModel stacked": _ranking(lambda: mm.DCNModel(_CLICKS, 1, mm.MLPBlock([4]), stacked=False), further=False),
    "model WideAndDeepModel": _ranking(
        lambda: mm.WideAndDeepModel(_CLICKS, mm.MLPBlock([4]), wide_schema=_IDS), further=False
    ),
    "model NCFModel": _ranking(lambda: mm.NCFModel(_CLICKS, 3, mm.MLPBlock([3]))),
    "model Model.from_block": _ranking(lambda: mm.Model.from_block(mm.MLPBlock([4]), _CLICKS)),
    "model every kind of input": Case(
        lambda: _compiled(every_input_model()), *every_input_batch(6), evaluate=True, steps=1, further=True
    ),
    "model own architecture": _ranking(_own_architecture),
    "model frozen block": _ranking(_frozen),
    "model TensorInitializer": Case(
        _with_pretrained_table, {"user_id": _FEATURES["user_id"]}, _CLICK, evaluate=True, steps=1, further=True
    ),
    "model RowL2": Case(
        lambda: _compiled(
            mm.Model(
                mm.Embeddings(_IDS, dim=3, aggregation="concat", embeddings_regularizer=mm.RowL2(0.1)),
                mm.BinaryOutput("click"),
            )
        ),
        {name: _FEATURES[name] for name in _IDS.column_names},
        _CLICK,
        evaluate=True,
        steps=1,
        further=True,
    ),
    # Retrieval models
    "model TwoTowerModel": _retrieval(lambda: mm.TwoTowerModel(SCHEMA, query_tower=mm.MLPBlock([4]))),
    "model TwoTowerModelV2": _retrieval(two_tower),
    "model MatrixFactorizationModel": _retrieval(lambda: mm.MatrixFactorizationModel(SCHEMA, dim=4)),
    "model MatrixFactorizationModelV2": _retrieval(
        lambda: mm.MatrixFactorizationModelV2(SCHEMA, dim=4, post="l2-norm")
    ),
    "model YoutubeDNNRetrievalModel": _youtube(
        lambda: mm.YoutubeDNNRetrievalModel(HISTORY, top_block=mm.MLPBlock([64]), num_sampled=15)
    ),
    "model YoutubeDNNRetrievalModelV2": _youtube(
        lambda: mm.YoutubeDNNRetrievalModelV2(HISTORY, top_block=mm.MLPBlock([8]), num_sampled=15)
    ),
    "model ItemRetrievalTask": Case(
        lambda: _task_model(mm.InBatchSampler()),
        {name: _PAIRS[name] for name in ("user_id", "item_id")},
        evaluate=True,
        steps=1,
        further=True,
    ),
    "model ItemRetrievalTask popularity": Case(
        lambda: _task_model(mm.InBatchSampler(), mm.PopularityBasedSampler(max_id=19, max_num_samples=5)),
        {name: _PAIRS[name] for name in ("user_id", "item_id")},
    ),
    "model ItemRetrievalScorer": Case(
        lambda: mm.Model(ScoredWithIds(mm.ItemRetrievalScorer([mm.InBatchSampler()]))),
        {"query": _VECTORS, "item": tf.constant(_CANDIDATES[:4]), "item_id": tf.constant([[7], [3], [7], [2]])},
    ),
    # Encoders
    "model Encoder": Case(lambda: mm.Encoder(_COLUMNS, mm.MLPBlock([4]), post=mm.L2Norm()), _FEATURES),
    "model EmbeddingEncoder": Case(
        lambda: mm.EmbeddingEncoder(_COLUMNS["item_id"], 4, post=mm.L2Norm()), {"item_id": _FEATURES["item_id"]}
    ),
    "model TopKEncoder": Case(lambda: _evaluated(_top_k(k=3)), _FEATURES, _RIGHT, evaluate=True),
    "model TopKEncoder of two towers": Case(_of_two_towers, _PAIRS),
    "model TopKEncoder seen items": Case(
        lambda: _top_k(k=3, takes_seen_items=True), {**_FEATURES, "seen_items": _SEEN_ITEMS}
    ),
    "model TopKEncoder approximate": Case(lambda: _top_k(mm.ApproximateTopK(3)), _FEATURES),
    "model TopKOutput": Case(
        lambda: mm.Model(mm.Dense(3), mm.TopKOutput("brute-force-topk", _CANDIDATES, k=2, target="item_id")), _VECTORS
    ),
    "model BruteForce": Case(
        lambda: mm.Model(mm.Dense(3), mm.BruteForce(2).index(_CANDIDATES, _CANDIDATE_IDS)), _VECTORS
    ),
    "model TopKIndexBlock": Case(
        lambda: mm.Model(mm.Dense(3), mm.TopKIndexBlock(2, _CANDIDATES, _CANDIDATE_IDS)), _VECTORS
    ),
    "model IndexBlock": Case(
        lambda: mm.Model(mm.IndexBlock(_CANDIDATES, _CANDIDATE_IDS), mm.Dense(2)), tf.constant([[5], [13], [7], [5]])
    ),
    # Several tasks
    "model MMOEBlock": _multi_task(lambda outputs: mm.MMOEBlock(outputs, mm.MLPBlock([3]), num_experts=3)),
    "model CGCBlock": _multi_task(lambda outputs: mm.CGCBlock(outputs, mm.MLPBlock([3]), num_task_experts=2)),
    "model PLEBlock": _multi_task(lambda outputs: mm.PLEBlock(2, outputs, mm.MLPBlock([3]))),
    # Sessions
    "model GPT2Block": _session(mm.GPT2Block),
    "model GPT2Block next item": _session(mm.GPT2Block, mm.SequencePredictNext, evaluate=True, steps=1, further=True),
    "model GPT2Block last item": _session(mm.GPT2Block, mm.SequencePredictLast, evaluate=True, steps=1, further=True),
    "model BertBlock masked item": _session(
        mm.BertBlock, mm.SequenceMaskLast, masked=True, evaluate=True, steps=1, further=True
    ),
    "model BertBlock random items": _session(mm.BertBlock, mm.SequenceMaskRandom, masked=True, steps=1),
    "model RobertaBlock random item": _session(mm.RobertaBlock, mm.SequencePredictRandom, steps=1),
    "model AlbertBlock": _session(mm.AlbertBlock),
    # Optimizers with their state
    "optimizer LazyAdam": _trained_with(lambda: mm.LazyAdam(0.05)),
    "optimizer LazyAdagrad": _trained_with(lambda: mm.LazyAdagrad(0.1)),
    "optimizer LazySGD": _trained_with(lambda: mm.LazySGD(0.05, momentum=0.9)),
    "optimizer LazyLossScaleOptimizer": _trained_with(lambda: mm.LazyLossScaleOptimizer(mm.LazyAdam(0.05))),
    "optimizer Adam": _trained_with(lambda: keras.optimizers.Adam(0.05)),
    "optimizer MultiOptimizer": Case(_multi_optimizer_model, _FEATURES, _CLICK, evaluate=True, steps=1, further=True),
    "optimizer MultiOptimizer split by size": Case(
        _split_by_size_model, _FEATURES, _CLICK, evaluate=True, steps=1, further=True
    ),
    # Losses and metrics
    **{
        f"loss {loss.__name__}": _loss_case(loss)
        for loss in (
            mm.BPRLoss,
            mm.BPRmaxLoss,
            mm.HingeLoss,
            mm.LogisticLoss,
            mm.TOP1Loss,
            mm.TOP1maxLoss,
            mm.TOP1v2Loss,
            mm.CategoricalCrossEntropy,
        )
    },
    "loss SparseCategoricalCrossEntropy": _category_loss(mm.SparseCategoricalCrossEntropy, _INTS["item_id"]),
    "metrics ranking": Case(_items_metrics, _VECTORS, _INTS, evaluate=True, steps=1, further=True),
    "metrics of recommendations": Case(_recommendation_metrics, _FEATURES, _RIGHT, evaluate=True),
    "metrics LogLossMetric": Case(
        lambda: _compiled(mm.Model(mm.Dense(2), mm.BinaryOutput("click")), metrics=[mm.LogLossMetric()]),
        _VECTORS,
        {"click": np.array([[1.0], [0.0], [0.0], [1.0]], "float32")},
        evaluate=True,
        steps=1,
        further=True,
    ),
    # Layers that no other file has
    "layer Cond": Case(
        lambda: mm.Model(mm.Cond(IsPositive(), mm.Dense(3), keras.layers.Dense(3)), mm.Dense(1)), _VECTORS
    ),
    "layer HoldOutItems": Case(
        lambda: mm.Model(mm.HoldOutItems(HISTORY.select_by_name("item_id_seq"))),
        {"item_id_seq": first(histories())["item_id_seq"]},
        random=True,
    ),
    "layer PopularityBasedSamplerV2": Case(
        lambda: _sampled_output(mm.PopularityBasedSamplerV2(max_num_samples=5, max_id=19)), _VECTORS
    ),
    "layer CrossBatchSampler": Case(lambda: _sampled_output(mm.CrossBatchSampler(capacity=8)), _VECTORS),
}


def _block(make: Callable[[], keras.layers.Layer], inputs: Any) -> Case:
    return Case(lambda: mm.Model(make()), inputs)


#: Blocks that hold layers which only the module of a test registers.
_OF_TESTS = {"Cond", "BruteForce", "ApproximateTopK", "TopKIndexBlock", "TopKOutput", "IndexBlock"}

CASES: dict[str, Case] = {
    re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_"): case
    for name, case in (
        *MODELS.items(),
        *((f"block {name}", _block(*given)) for name, given in BLOCKS.items() if name not in _OF_TESTS),
    )
}


def prepared(case: Case) -> keras.Model:
    """The model of a case, with weights that are neither zero nor one, trained for its steps."""
    keras.utils.set_random_seed(11)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        model = case.make()
    model(case.inputs)
    draw = np.random.default_rng(12)
    for weight in model.trainable_weights:
        if "float" in str(weight.dtype):
            weight.assign(weight + draw.uniform(0.02, 0.2, weight.shape).astype(weight.dtype))
    if case.steps:
        pair = case.inputs if case.targets is None else (case.inputs, case.targets)
        model.fit(tf.data.Dataset.from_tensors(pair), epochs=case.steps, verbose=0)
    return model
