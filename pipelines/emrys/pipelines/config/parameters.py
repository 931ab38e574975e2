"""Arguments of a run that both pipelines have, with what each one means."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from emrys.pipelines.config.resources import STRICT

# The meaning of what the two pipelines have different defaults for; that of the others stands at the field.
TestFraction = Annotated[float, Field(description="Share of the rows that is test.")]
EmbeddingDim = Annotated[int, Field(description="Width of the embeddings.")]
Dropout = Annotated[float, Field(description="Share of values dropped in training.")]
EmbeddingsL2 = Annotated[float, Field(description="Weight of the squared embeddings of a batch in the loss.")]
LearningRate = Annotated[float, Field(description="Learning rate of the optimizer.")]
EmaMomentum = Annotated[
    float, Field(description="Momentum of the moving average of the weights that is judged and served; 0 for none.")
]
Epochs = Annotated[int, Field(description="Most epochs.")]
Monitor = Annotated[
    str,
    Field(
        description="What decides which epoch is best: `val_loss`; of a ranking model also `val_auc`, of a retrieval "
        "model `val_ndcg_at_10` or `val_recall_at_50`."
    ),
]
Patience = Annotated[int, Field(description="Epochs without a better result on the valid split before training stops.")]
Thresholds = Annotated[
    dict[str, float],
    Field(description="By metric what the model has to reach; with none it does not pass the gate."),
]
GateMetric = Annotated[
    str, Field(description="What the gate compares by with the baselines, with production and in slices.")
]
BaselineMetrics = Annotated[
    tuple[str, ...], Field(description="Further metrics by which the gate compares with the baselines.")
]
ModelName = Annotated[str, Field(description="Name of the ensemble in Triton, and of the model in the registry.")]


@dataclass(frozen=True, config=STRICT)
class PipelineParameters:
    """Arguments of a run and their defaults; the names are those of the pipeline's inputs."""

    dataset: Annotated[
        str,
        Field(
            description="A name (`synthetic`, `ml-100k`, `ml-1m`), or the path of a MovieLens zip, of its folder, or "
            "of Parquet files with the same columns."
        ),
    ] = "synthetic"
    # By user, since a log that grows by users, split in time, tests on strangers alone: of MovieLens 100K, 86 of 100
    # test rows are then of users whom training has not seen, and no model knows more of them than the items' means say.
    split: Annotated[
        str,
        Field(
            description="How rows are split: `per_user` (the last ones of every user are test), `time` (the last ones "
            "of all) or `random`."
        ),
    ] = "per_user"
    valid_fraction: Annotated[float, Field(description="Share of the rows that is valid.")] = 0.1
    test_fraction: TestFraction = 0.1
    rows: Annotated[int, Field(description="Number of ratings of the synthetic data.")] = 60_000
    cache_dir: Annotated[str, Field(description="Folder that keeps downloads; empty for the user's cache folder.")] = ""
    seed: Annotated[int, Field(description="Seed of everything that draws numbers.")] = 42

    on_anomaly: Annotated[
        str, Field(description="What happens when validate finds something wrong: `stop` the run or `mark` it.")
    ] = "stop"
    previous_statistics: Annotated[
        str,
        Field(
            description="Statistics of an earlier run that drift is measured from, a folder or gs://; empty for those "
            "of the version in production."
        ),
    ] = ""
    min_rows: Annotated[int, Field(description="Fewest rows of train.")] = 100
    min_growth: Annotated[
        float, Field(description="Fewest rows of train as a multiple of those of the previous run.")
    ] = 0.5
    max_nulls: Annotated[float, Field(description="Greatest share of nulls in a column.")] = 0.5
    max_duplicates: Annotated[float, Field(description="Greatest share of train rows that repeat an event.")] = 0.001
    js_distance: Annotated[
        float, Field(description="Greatest Jensen-Shannon distance of a number from the previous run.")
    ] = 0.1
    l_infinity: Annotated[float, Field(description="Greatest difference of a value's share from the previous run.")] = (
        0.05
    )
    null_drift: Annotated[
        float, Field(description="Greatest difference of the share of nulls from the previous run.")
    ] = 0.05
    leak_auc: Annotated[float, Field(description="Greatest AUC that a column alone may reach.")] = 0.95
    column_limits: Annotated[
        dict[str, Any], Field(description="Limits of validate by column, in place of those for all.")
    ] = Field(default_factory=dict)
    check_severity: Annotated[
        dict[str, str],
        Field(description="`error`, `warning` or `off` by check of validate, where it is not the usual one."),
    ] = Field(default_factory=dict)

    freq_threshold: Annotated[int, Field(description="Values seen in fewer train rows than this count as unseen.")] = 0
    schema_overrides: Annotated[dict[str, Any], Field(description="What to set by hand in the schema, by column.")] = (
        Field(default_factory=dict)
    )

    embedding_dim: EmbeddingDim = 16
    dropout: Dropout = 0.3
    embeddings_l2: EmbeddingsL2 = 0.0
    learning_rate: LearningRate = 0.001
    ema_momentum: EmaMomentum = 0.99
    epochs: Epochs = 20
    batch_size: Annotated[int, Field(description="Rows in a batch.")] = 1024
    monitor: Monitor = "val_loss"
    patience: Patience = 2
    checkpoint_dir: Annotated[
        str, Field(description="Folder for checkpoints, from which a run that was cut off goes on.")
    ] = ""

    k: Annotated[int, Field(description="Length of the list that NDCG and MRR look at.")] = 10
    thresholds: Thresholds = Field(default_factory=dict)
    gate_metric: GateMetric = "auc"
    baseline_metrics: BaselineMetrics = ()
    baseline_margin: Annotated[float, Field(description="How much better than every baseline the model has to be.")] = (
        0.0
    )
    production_margin: Annotated[
        float,
        Field(description="How much better than the model in production; below 0, how much worse it may be."),
    ] = 0.0
    slice_margin: Annotated[
        float,
        Field(
            description="How much better the model has to be in the worst slice than production, else the best "
            "baseline; below 0, how much worse it may be."
        ),
    ] = -0.05
    slice_units: Annotated[int, Field(description="Slices with fewer users or queries than this are not judged.")] = 50
    confidence: Annotated[float, Field(description="Confidence of the gate's lower bounds.")] = 0.95

    registry: Annotated[
        str,
        Field(
            description="Folder or bucket that keeps promoted versions, and whose model in production the new one is "
            "compared with; empty for none."
        ),
    ] = ""
    model_name: ModelName = "ranking"
    require_server: Annotated[
        bool, Field(description="Whether a missing Triton server fails the export; else it is checked in process.")
    ] = False
