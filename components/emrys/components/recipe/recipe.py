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
    """Where the rows are and how they are read."""

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

    path: str | tuple[str, ...]
    key: Annotated[str, Field(description="Column of the key, named as in the log or as `log_key`.")]
    log_key: Annotated[str, Field(description="Column of the key in the log; empty: the same name.")] = ""
    time: Annotated[
        str, Field(description="Column of the time from which a row holds; the latest before the event.")
    ] = ""
    reader: Literal["auto", "parquet", "csv", "json"] = "auto"


class TimeColumn(Section):
    """The column of the time."""

    column: str
    unit: Annotated[
        Literal["", "s", "ms", "us", "ns"], Field(description="Unit of numbers since 1970; empty: found by their size.")
    ] = ""


class EventTargets(Section):
    """Targets that are made of a column of event types."""

    column: str
    targets: Annotated[
        dict[str, str | int | tuple[str | int, ...]], Field(description="Event types that are positive, by target.")
    ]


class TargetColumn(Section):
    """One target."""

    kind: TargetKind = TargetKind.BINARY
    source: Annotated[str, Field(alias="from", description="Column that it is made of; empty: of the same name.")] = ""
    above: Annotated[float | None, Field(description="For `binary`: larger numbers are positive.")] = None
    values: Annotated[tuple[str | int, ...], Field(description="For `binary`: these values are positive.")] = ()


class Columns(Section):
    """Roles of the columns; what is not said is inferred and shown. Names may be ranges, `C1..C26`, or globs, `C*`."""

    user_id: str = ""
    item_id: str = ""
    session_id: str = ""
    time: TimeColumn | str | None = None
    weight: str = ""
    feedback: Annotated[
        Literal["", "implicit", "explicit"], Field(description="`implicit`: every row is a positive, without a target.")
    ] = ""
    events: EventTargets | None = None
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
    """How the rows become train, valid and test."""

    by: Annotated[
        Literal["time", "per_user", "last_per_user", "session", "random", "random_user", "column", "given"] | None,
        Field(
            description="`time`: the last rows; `per_user`: the last share of each user's; `last_per_user`: the last k "
            "of each user's; `session`: the last sessions; `random`: rows; `random_user`: whole users; `column`: as a "
            "column says; `given`: files named train, valid and test. None: by what the columns allow."
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
    negatives: Negatives | None = None


class History(Section):
    """A list of values of the user's events before the row's own."""

    history_of: str
    length: Annotated[int, Field(ge=1)] = 50
    positive: Annotated[bool, Field(description="Whether only events with a positive first target count.")] = True


class Difference(Section):
    """Difference of a column to the user's event before."""

    difference_of: str


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
    """How the model is trained; the parameters of the pipeline of the same names override it."""

    epochs: Annotated[int, Field(ge=1)] | None = None
    batch_size: Annotated[int, Field(ge=1)] | None = None
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    optimizer: Literal["lazy_adam", "adam", "adagrad", "sgd"] | None = None
    ema_momentum: Annotated[float, Field(ge=0, lt=1)] | None = None
    patience: Annotated[int, Field(ge=1)] | None = None
    monitor: str = ""
    tracking: Annotated[str, Field(description="Address of an MLflow server; empty for none.")] = ""


class Evaluation(Section):
    """What is measured on the test rows."""

    metrics: tuple[str, ...] = ()
    baselines: tuple[str, ...] | None = None
    bootstrap_by: Literal["", "user", "session", "row"] = ""
    exclude_seen: Annotated[bool, Field(description="Whether items that the user already has are no answers.")] = True
    slices: Annotated[tuple[str, ...] | None, Field(description="Columns of slices; None: those with few values.")] = (
        None
    )
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
    """How the ensemble is served."""

    name: str = ""
    top_k: Annotated[int, Field(ge=1)] = 100


FeatureSteps = tuple[str | dict[str, Any], ...]


class Recipe(Section):
    """A recipe."""

    version: Annotated[Literal[1], Field(description="Version of the recipe.")] = 1
    data: DataSource
    tables: Annotated[dict[str, SideTable], Field(description="`items` and `users`, in files of their own.")] = Field(
        default_factory=dict
    )
    columns: Columns = Columns()
    split: Split = Split()
    features: (
        Annotated[
            dict[str, FeatureSteps | History | Difference],
            Field(description="Operators by column, range or glob; or a history or a difference by its name."),
        ]
        | None
    ) = None
    module: Annotated[str, Field(description="`package.module:function` that returns a graph of NVTabular.")] = ""
    model: Model
    # `validate` is a method of pydantic's models.
    validation: Annotated[Validation, Field(alias="validate")] = Validation()
    train: Training = Training()
    evaluate: Evaluation = Evaluation()
    gate: Annotated[
        Literal["none"] | dict[str, Any] | None,
        Field(description="Minimum by metric, and `better_than` a list of baselines; none: never promoted."),
    ] = None
    serve: Serving = Serving()
