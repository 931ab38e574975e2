"""Settings of the step build_model."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from emrys.blocks.errors import ConfigError
from emrys.components.recipe.models import MODELS, ModelOptions, option_faults
from emrys.components.recipe.reading import recipe_of

STEP = "build_model"

#: Names of the optimizers. All but `adam` read and write only the embeddings of a batch.
OPTIMIZERS = ("lazy_adam", "adam", "adagrad", "sgd")


class Architecture(enum.StrEnum):
    """Architecture of the model, a key of `MODELS`."""

    #: Ranking: dot products of the embeddings.
    DLRM = "dlrm"
    #: Ranking: cross layers and a deep part.
    DCN = "dcn"
    #: Ranking: pairs of embeddings, a linear and a deep part.
    DEEPFM = "deepfm"
    #: Ranking: a linear part on ids and a deep part.
    WIDE_AND_DEEP = "wide-and-deep"
    #: Ranking: dense layers.
    MLP = "mlp"
    #: Ranking, several targets: shared experts with a gate for each target.
    MMOE = "mmoe"
    #: Ranking, several targets: shared experts and those of each target.
    CGC = "cgc"
    #: Ranking, several targets: layers of such experts.
    PLE = "ple"
    #: Retrieval: one network for the user features, one for the item features.
    TWO_TOWER = "two-tower"
    #: Retrieval: a vector for each user id and each item id.
    MATRIX_FACTORIZATION = "matrix-factorization"
    #: Retrieval: a network for the user's history; new users need no id.
    YOUTUBE_DNN = "youtube-dnn"
    #: Sessions: a causal transformer on the history.
    GPT2 = "gpt2"
    #: Sessions: a bidirectional transformer on the history.
    BERT4REC = "bert4rec"
    #: Sessions: the item after the last one.
    LAST_ITEM = "last-item"

    @classmethod
    def _missing_(cls, value: object) -> Architecture:
        known = ", ".join(each.value for each in cls)
        raise ConfigError("architecture cannot be used", step=STEP, expected=known, got=repr(value))


#: Options with a parameter of their own.
_PARAMETERS = ("embedding_dim", "bottom_layers", "top_layers", "tower_layers", "dropout", "embeddings_l2")


@dataclass(frozen=True)
class BuildModelConfig:
    """Model, targets and optimizer.

    Attributes:
        architecture: An `Architecture` or its value; not used with `module`.
        module: `package.module:function` of a model of one's own. Default: none.
        options: Options of the architecture, see `emrys.components.recipe.models`; or the configuration that the
            function of `module` gets.
        target: Column that a ranking model predicts, instead of `tasks`.
        tasks: Weight in the loss by target. Default: all targets of the data schema; the first of the schema, if the
            artifact has no data schema.
        sample_space: Target whose positive rows are the rows of a target.
        embedding_dim: This option of the architecture; with the next five, None leaves it to `options`, and an
            architecture without the option ignores it.
        bottom_layers: See `embedding_dim`.
        top_layers: See `embedding_dim`.
        tower_layers: See `embedding_dim`.
        dropout: See `embedding_dim`.
        embeddings_l2: See `embedding_dim`.
        optimizer: One of `OPTIMIZERS`.
        learning_rate: Learning rate of the optimizer.
        ema_momentum: Momentum of the moving average of the weights for evaluation and serving; 0 for none.
        seed: Seed of the initial weights.
    """

    architecture: Architecture = Architecture.DLRM
    module: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    target: str = ""
    tasks: Mapping[str, float] = field(default_factory=dict)
    sample_space: Mapping[str, str] = field(default_factory=dict)
    embedding_dim: int | None = None
    bottom_layers: Sequence[int] | None = None
    top_layers: Sequence[int] | None = None
    tower_layers: Sequence[int] | None = None
    dropout: float | None = None
    embeddings_l2: float | None = None
    optimizer: str = "lazy_adam"
    learning_rate: float = 0.001
    ema_momentum: float = 0.0
    seed: int = 42

    def __post_init__(self) -> None:
        """Checks the values."""
        object.__setattr__(self, "architecture", Architecture(self.architecture))
        if not self.module:
            faults = option_faults(self.architecture, self._given_options())
            if faults:
                raise ConfigError("; ".join(str(fault).rstrip(".") for fault in faults), step=STEP)
        if self.target and self.tasks:
            raise ConfigError("target and tasks", step=STEP, expected="one of them", got="both")
        if self.optimizer not in OPTIMIZERS:
            raise ConfigError("optimizer", step=STEP, expected=", ".join(OPTIMIZERS), got=repr(self.optimizer))
        if not 0 <= self.ema_momentum < 1:
            raise ConfigError("ema_momentum", step=STEP, expected="0 to below 1", got=str(self.ema_momentum))
        if not 0 <= self.seed < 2**32:
            raise ConfigError("seed", step=STEP, expected="0 to below 2**32", got=str(self.seed))
        if not self.learning_rate > 0:  # rejects NaN too
            raise ConfigError("learning_rate", step=STEP, expected="a number above 0", got=str(self.learning_rate))

    @classmethod
    def of(cls, recipe: Mapping[str, Any], **parameters: Any) -> Self:
        """The settings of a recipe and of the parameters of the step, which override it.

        Args:
            recipe: The recipe as JSON values; empty for none.
            **parameters: Attributes by name; those that are None are not given.

        Raises:
            ConfigError: if the recipe or a value cannot be used.
        """
        settings: dict[str, Any] = {}
        if recipe:
            read = recipe_of(recipe)
            settings = {
                "architecture": read.model.name or None,
                "module": read.model.module,
                "options": read.model.options,
                "tasks": read.model.tasks,
                "sample_space": read.model.sample_space,
                "optimizer": read.train.optimizer,
                "learning_rate": read.train.learning_rate,
                "ema_momentum": read.train.ema_momentum,
            }
        given = {name: value for name, value in parameters.items() if value is not None}
        if "architecture" in given and settings.get("architecture") not in (None, given["architecture"]):
            settings["options"] = {}  # those of another architecture
        return cls(**{name: value for name, value in {**settings, **given}.items() if value is not None})

    @property
    def model_options(self) -> ModelOptions:
        """Options of the architecture, with its defaults."""
        return MODELS[self.architecture].options.model_validate(self._given_options())

    @property
    def is_retrieval(self) -> bool:
        """Whether the architecture is one of retrieval."""
        return not self.module and MODELS[self.architecture].task == "retrieval"

    def _given_options(self) -> dict[str, Any]:
        known = MODELS[self.architecture].options.model_fields
        own = {name: getattr(self, name) for name in _PARAMETERS if name in known}
        return {**self.options, **{name: value for name, value in own.items() if value is not None}}
