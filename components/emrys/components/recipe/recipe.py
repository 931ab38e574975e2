"""Sections of a recipe, as pydantic models; each key replaces its default and nothing is merged."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from emrys.components.contracts.data_schema import TargetKind

#: Version of recipes that this release reads.
VERSION = 1


class Section(BaseModel):
    """Base of the sections: unknown keys are refused, and sections do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class DataSource(Section):
    """The files of the log and their format."""

    path: Annotated[
        str | tuple[str, ...],
        Field(
            description="File, folder, glob or list of them; `gs://` and `s3://` too. A data set's name for a reader."
        ),
    ] = ""
    reader: Annotated[
        Literal["auto", "parquet", "csv", "json", "movielens", "synthetic"],
        Field(description="Format; `auto` goes by the files' names."),
    ] = "auto"
    delimiter: Annotated[str, Field(description="Separator of a CSV file; empty: found by looking.")] = ""
    header: Annotated[
        bool | tuple[str, ...],
        Field(description="Whether a CSV file's first line names the columns; or their names, if it does not."),
    ] = True
    rows: Annotated[int, Field(description="Number of rows of the synthetic reader.", ge=1)] = 60_000
    cache_dir: Annotated[str, Field(description="Folder for downloads; empty for the user's cache folder.")] = ""


class SideTable(Section):
    """A table of items or users in files of its own, joined by key."""

    path: Annotated[str | tuple[str, ...], Field(description="As in the section `data`.")]
    key: Annotated[str, Field(description="Column of the key, named as in the log or as `log_key`.")]
    log_key: Annotated[str, Field(description="Column of the key in the log; empty: the same name.")] = ""
    time: Annotated[
        str, Field(description="Column of the time from which a row holds; the latest before the event.")
    ] = ""
    reader: Annotated[Literal["auto", "parquet", "csv", "json"], Field(description="As in the section `data`.")] = (
        "auto"
    )


class TimeColumn(Section):
    """The column of the time."""

    column: Annotated[str, Field(description="Name of the column.")]
    unit: Annotated[
        Literal["", "s", "ms", "us", "ns"], Field(description="Unit of numbers since 1970; empty: found by their size.")
    ] = ""


class EventTargets(Section):
    """Targets that are made of a column of event types."""

    column: Annotated[str, Field(description="Column of the event types.")]
    targets: Annotated[
        dict[str, str | int | tuple[str | int, ...]], Field(description="Event types that are positive, by target.")
    ]


class TargetColumn(Section):
    """One target."""

    kind: Annotated[
        TargetKind, Field(description="What is predicted: yes or no, a number, or one of several values.")
    ] = TargetKind.BINARY
    source: Annotated[str, Field(alias="from", description="Column that it is made of; empty: of the same name.")] = ""
    above: Annotated[float | None, Field(description="For `binary`: larger numbers are positive.")] = None
    values: Annotated[tuple[str | int, ...], Field(description="For `binary`: these values are positive.")] = ()


class Columns(Section):
    """Roles of the columns; what is not said is inferred and shown. Names may be ranges, `C1..C26`, or globs, `C*`."""

    user_id: Annotated[str, Field(description="Column of the user id.")] = ""
    item_id: Annotated[str, Field(description="Column of the item id.")] = ""
    session_id: Annotated[str, Field(description="Column of the session id.")] = ""
    time: Annotated[TimeColumn | str | None, Field(description="Column of the time, or the column and its unit.")] = (
        None
    )
    weight: Annotated[str, Field(description="Column of the row weights in training and evaluation.")] = ""
    feedback: Annotated[
        Literal["", "implicit", "explicit"], Field(description="`implicit`: every row is a positive, without a target.")
    ] = ""
    events: Annotated[EventTargets | None, Field(description="Targets that are made of types of events.")] = None
    targets: Annotated[
        dict[str, TargetKind | TargetColumn], Field(description="Kind of each target, or how it is made.")
    ] = Field(default_factory=dict)
    order: Annotated[
        tuple[str, ...],
        Field(description="Order of the targets; empty: as they are written. Pipelines sort the keys of a mapping."),
    ] = ()
    user: Annotated[tuple[str, ...], Field(description="Features of the user.")] = ()
    item: Annotated[tuple[str, ...], Field(description="Features of the item.")] = ()
    context: Annotated[tuple[str, ...], Field(description="Features of the event.")] = ()
    categorical: Annotated[tuple[str, ...], Field(description="Features with values that are names or codes.")] = ()
    continuous: Annotated[tuple[str, ...], Field(description="Features with values that are amounts.")] = ()
    ignore: Annotated[tuple[str, ...], Field(description="Columns that are left out.")] = ()
    nulls: Annotated[Literal["refuse", "drop"], Field(description="Rows with a null in an id, a time or a target.")] = (
        "refuse"
    )


class Negatives(Section):
    """Negatives drawn for logs that hold positives alone."""

    per_positive: Annotated[int, Field(ge=1, description="Random items for each positive row.")] = 4


class Split(Section):
    """Division of the rows into train, valid and test."""

    by: Annotated[
        Literal["time", "per_user", "last_per_user", "session", "random", "random_user", "column", "given"] | None,
        Field(
            description="`time`: the last rows; `per_user`: the last share of each user's; `last_per_user`: the last k "
            "of each user's; `session`: the last sessions; `random`: rows; `random_user`: whole users; `column`: as a "
            "column says; `given`: files named train, valid and test. Without it: by what the columns allow."
        ),
    ] = None
    valid: Annotated[float, Field(gt=0, description="Share of the rows, or number for `last_per_user`.")] = 0.1
    test: Annotated[float, Field(gt=0, description="Share of the rows, or number for `last_per_user`.")] = 0.1
    min_events: Annotated[int, Field(ge=1, description="Users with fewer events are left out.")] = 1
    column: Annotated[str, Field(description="For `column`: holds train, valid or test.")] = ""
    label_window: Annotated[
        str,
        Field(description="Time that a label may arrive after its event, such as `7d`; younger events are left out."),
    ] = ""
    negatives: Annotated[Negatives | None, Field(description="Random items as negatives of a ranking model.")] = None


class History(Section):
    """A list of values of the user's events before the row's own."""

    history_of: Annotated[str, Field(description="Column whose values the list holds, oldest first.")]
    length: Annotated[int, Field(ge=1, description="Maximum number of values: the latest.")] = 50
    positive: Annotated[bool, Field(description="Whether only events with a positive first target count.")] = True


class Difference(Section):
    """Difference of a column to the user's event before."""

    difference_of: Annotated[str, Field(description="Column of numbers; or the time, in its own unit.")]


class Model(BaseModel):
    """The model: its name or the user's function, and its options, which its own schema checks."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: Annotated[str, Field(description="Architecture; empty with `module`.")] = ""
    module: Annotated[str, Field(description="`package.module:function`, `build(schema, config) -> keras.Model`.")] = ""
    tasks: Annotated[dict[str, float], Field(description="Weight of each target in the loss; empty: all, equal.")] = (
        Field(default_factory=dict)
    )
    sample_space: Annotated[dict[str, str], Field(description="Target whose positives are the rows of a target.")] = (
        Field(default_factory=dict)
    )

    @property
    def options(self) -> dict[str, Any]:
        """The options that the model's own schema checks."""
        return dict(self.model_extra or {})


class Training(Section):
    """Settings of training; the pipeline's parameters of the same names override them."""

    epochs: Annotated[Annotated[int, Field(ge=1)] | None, Field(description="Maximum number of epochs.")] = None
    batch_size: Annotated[
        Annotated[int, Field(ge=1)] | None,
        Field(description="Rows of a step; without it 64 to 1,024, for 100 steps in an epoch."),
    ] = None
    learning_rate: Annotated[Annotated[float, Field(gt=0)] | None, Field(description="Rate of the optimizer.")] = None
    optimizer: Annotated[
        Literal["lazy_adam", "adam", "adagrad", "sgd"] | None,
        Field(description="Without it: `lazy_adam`, which updates only the embeddings of a batch."),
    ] = None
    ema_momentum: Annotated[
        Annotated[float, Field(ge=0, lt=1)] | None,
        Field(description="Momentum of the moving average of the weights; 0 for none."),
    ] = None
    patience: Annotated[
        Annotated[int, Field(ge=1)] | None,
        Field(description="Epochs without improvement before training stops; without it 4."),
    ] = None
    monitor: Annotated[
        str, Field(description="Metric on the valid split that selects the best epoch; empty: by the task.")
    ] = ""
    tracking: Annotated[str, Field(description="Address of an MLflow server; empty for none.")] = ""


class Evaluation(Section):
    """Metrics, baselines and slices of the test rows."""

    metrics: Annotated[
        tuple[str, ...], Field(description="Metrics, the main one first, such as `ndcg@10`; empty: all that fit.")
    ] = ()
    baselines: Annotated[tuple[str, ...] | None, Field(description="Baselines; without it: all that fit.")] = None
    bootstrap_by: Annotated[
        Literal["", "user", "session", "row"],
        Field(description="What the bootstrap resamples; empty: users, sessions or rows, as there are."),
    ] = ""
    exclude_seen: Annotated[bool, Field(description="Whether items that the user already has are no answers.")] = True
    slices: Annotated[
        tuple[str, ...] | None, Field(description="Columns of slices; without it: those with few values.")
    ] = None
    show_ids: Annotated[bool, Field(description="Whether reports may show ids of people.")] = False


class Validation(Section):
    """Limits of the checks before training, by column, and severities by check."""

    columns: Annotated[
        dict[str, dict[str, float]], Field(description="Limits by column: `min`, `max`, `max_nulls` and others.")
    ] = Field(default_factory=dict)
    severity: Annotated[
        dict[str, Literal["error", "warning", "off"]], Field(description="Severity by check of validate.")
    ] = Field(default_factory=dict)


class Serving(Section):
    """Settings of the served ensemble."""

    name: Annotated[str, Field(description="Name of the ensemble; empty: that of the pipeline.")] = ""
    top_k: Annotated[int, Field(ge=1, description="Number of items in an answer of a retrieval model.")] = 100


FeatureSteps = tuple[str | dict[str, Any], ...]


class Recipe(Section):
    """A recipe."""

    version: Annotated[Literal[1], Field(description="Version of the recipe.")] = 1
    data: Annotated[DataSource, Field(description="The files of the log.")]
    tables: Annotated[dict[str, SideTable], Field(description="`items` and `users`, in files of their own.")] = Field(
        default_factory=dict
    )
    columns: Annotated[Columns, Field(description="Roles of the columns, and the targets.")] = Columns()
    split: Annotated[Split, Field(description="How the rows become train, valid and test.")] = Split()
    features: Annotated[
        dict[str, FeatureSteps | History | Difference] | None,
        Field(description="Operators by column, range or glob; or a history or a difference by its name."),
    ] = None
    module: Annotated[str, Field(description="`package.module:function` that returns a graph of NVTabular.")] = ""
    model: Annotated[Model, Field(description="The model, and its options.")]
    # `validate` is a method of pydantic's models.
    validation: Annotated[Validation, Field(alias="validate", description="Checks of the data before training.")] = (
        Validation()
    )
    train: Annotated[Training, Field(description="How the model is trained.")] = Training()
    evaluate: Annotated[Evaluation, Field(description="What is measured.")] = Evaluation()
    gate: Annotated[
        Literal["none"] | dict[str, Any] | None,
        Field(description="Minimum by metric, and `better_than` a list of baselines; `none`: never promoted."),
    ] = None
    serve: Annotated[Serving, Field(description="How the model is served.")] = Serving()
