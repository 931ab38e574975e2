"""Parameters that both pipelines have, with their descriptions."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from emrys.pipelines.config.resources import STRICT

# Types of the parameters whose defaults differ between the pipelines; the others are described at the field.
TestFraction = Annotated[float, Field(description="Fraction of the rows in the test split.")]
EmbeddingDim = Annotated[int, Field(description="Width of the embeddings.")]
Dropout = Annotated[float, Field(description="Dropout rate in training.")]
EmbeddingsL2 = Annotated[float, Field(description="L2 regularization of the embeddings of a batch.")]
LearningRate = Annotated[float, Field(description="Learning rate of the optimizer.")]
EmaMomentum = Annotated[
    float,
    Field(description="Momentum of the moving average of the weights, which is evaluated and served; 0 for none."),
]
Epochs = Annotated[int, Field(description="Maximum number of epochs.")]
Monitor = Annotated[
    str,
    Field(
        description="Metric that selects the best epoch: `val_loss`; for a ranking model also `val_auc`, for a "
        "retrieval model `val_ndcg_at_10` or `val_recall_at_50`."
    ),
]
Patience = Annotated[int, Field(description="Epochs without improvement on the valid split before training stops.")]
Thresholds = Annotated[
    dict[str, float],
    Field(description="Minimum value per metric; an empty mapping never passes the gate."),
]
GateMetric = Annotated[
    str,
    Field(description="Metric of the comparison with baselines and production, also in slices."),
]
BaselineMetrics = Annotated[
    tuple[str, ...], Field(description="Further metrics by which the gate compares the model with the baselines.")
]
ModelName = Annotated[str, Field(description="Name of the ensemble in Triton, and of the model in the registry.")]


@dataclass(frozen=True, config=STRICT)
class PipelineParameters:
    """Parameters of every pipeline and their defaults."""

    recipe: Annotated[
        dict[str, Any],
        Field(
            description="Recipe: what the data are and what is wanted; see docs/recipe.md. Empty for the recipe of the "
            "data set named by `dataset`."
        ),
    ] = Field(default_factory=dict)
    dataset: Annotated[
        str,
        Field(
            description="A name (`synthetic`, `ml-100k`, `ml-1m`), or the path of a MovieLens zip, of its folder, or "
            "of Parquet files with the same columns."
        ),
    ] = "synthetic"
    # By user: a log that grows by new users, split by time, tests on unseen users almost only. In MovieLens 100K, 86 of
    # 100 test rows then belong to users without a train row, for whom no model can beat the means of the items.
    split: Annotated[
        str,
        Field(
            description="How rows are split: `per_user` (the latest rows of each user are test), `time` (the latest "
            "of all rows) or `random`."
        ),
    ] = "per_user"
    valid_fraction: Annotated[float, Field(description="Fraction of the rows in the valid split.")] = 0.1
    test_fraction: TestFraction = 0.1
    synthetic_rows: Annotated[int, Field(description="Number of rows of the synthetic data set.")] = 60_000
    cache_dir: Annotated[str, Field(description="Folder for downloads; empty for the user's cache folder.")] = ""
    seed: Annotated[int, Field(description="Seed of all random numbers.")] = 42

    on_anomaly: Annotated[
        str, Field(description="Reaction to errors that validate reports: `stop` the run or `mark` it.")
    ] = "stop"
    previous_statistics: Annotated[
        str,
        Field(
            description="Statistics of an earlier run, against which drift is measured: a folder or gs://; empty for "
            "those of the version in production."
        ),
    ] = ""
    min_rows: Annotated[int, Field(description="Minimum number of rows of train.")] = 100
    min_growth: Annotated[
        float, Field(description="Minimum number of rows of train, as a multiple of the previous run's.")
    ] = 0.5
    max_nulls: Annotated[float, Field(description="Maximum fraction of nulls in a column.")] = 0.5
    max_duplicates: Annotated[float, Field(description="Maximum fraction of train rows that repeat an event.")] = 0.001
    js_distance: Annotated[
        float, Field(description="Maximum Jensen-Shannon distance of a numeric column from the previous run.")
    ] = 0.1
    l_infinity: Annotated[
        float, Field(description="Maximum difference of the frequency of a value from the previous run.")
    ] = 0.05
    null_drift: Annotated[
        float, Field(description="Maximum difference of the fraction of nulls from the previous run.")
    ] = 0.05
    leak_auc: Annotated[float, Field(description="Maximum AUC of a single column.")] = 0.95
    column_limits: Annotated[
        dict[str, Any], Field(description="Limits of validate by column, which override the general ones.")
    ] = Field(default_factory=dict)
    check_severity: Annotated[
        dict[str, str],
        Field(description="`error`, `warning` or `off` by check of validate, which override the defaults."),
    ] = Field(default_factory=dict)

    freq_threshold: Annotated[
        int, Field(description="Values with fewer train rows than this are treated as unseen.")
    ] = 0
    schema_overrides: Annotated[
        dict[str, Any], Field(description="Properties to override in the schema, by column.")
    ] = Field(default_factory=dict)

    embedding_dim: EmbeddingDim = 16
    dropout: Dropout = 0.3
    embeddings_l2: EmbeddingsL2 = 0.0
    learning_rate: LearningRate = 0.001
    ema_momentum: EmaMomentum = 0.99
    epochs: Epochs = 20
    batch_size: Annotated[int, Field(description="Rows per batch.")] = 1024
    monitor: Monitor = "val_loss"
    patience: Patience = 2
    checkpoint_dir: Annotated[
        str, Field(description="Folder for checkpoints, from which an interrupted run resumes.")
    ] = ""

    k: Annotated[int, Field(description="Cutoff K of NDCG@K and MRR@K.")] = 10
    thresholds: Thresholds = Field(default_factory=dict)
    gate_metric: GateMetric = "auc"
    baseline_metrics: BaselineMetrics = ()
    baseline_margin: Annotated[float, Field(description="Minimum lift over every baseline.")] = 0.0
    production_margin: Annotated[
        float,
        Field(description="Minimum lift over the model in production; negative if it may be worse."),
    ] = 0.0
    slice_margin: Annotated[
        float,
        Field(
            description="Minimum lift in the worst slice, over production or else over the best baseline; negative if "
            "it may be worse."
        ),
    ] = -0.05
    min_slice_size: Annotated[int, Field(description="Slices with fewer users or queries than this are ignored.")] = 50
    confidence: Annotated[float, Field(description="Confidence of the gate's lower bounds.")] = 0.95

    registry: Annotated[
        str,
        Field(
            description="Registry of promoted versions, a folder or bucket; the model is compared with the one in "
            "production there. Empty for none."
        ),
    ] = ""
    model_name: ModelName = "ranking"
    require_server: Annotated[
        bool,
        Field(description="Whether the export fails without a Triton server; otherwise parity is checked in process."),
    ] = False
