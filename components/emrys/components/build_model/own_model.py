"""A Keras model of the user's own, made by a function that the recipe names."""

from __future__ import annotations

import importlib
import inspect
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from merlin.schema import Schema

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, EmrysError
from emrys.blocks.models.sample_inputs import sample_inputs
from emrys.components.build_model.config import STEP, BuildModelConfig
from emrys.components.build_model.outputs import compile_plain, compile_ranking, create_optimizer, number_of_classes
from emrys.components.contracts.data_schema import Target, TargetKind
from emrys.components.contracts.model import IMPORT_ADVICE

#: Rows of the batch that a model is tried on.
_ROWS = 3
_REGISTER = (
    "Decorate its own classes with @keras.saving.register_keras_serializable('a name'), and give them get_config and, "
    "where they have layers inside, build."
)


def build_own_model(schema: Schema, targets: Sequence[Target], weighted: bool, config: BuildModelConfig) -> keras.Model:
    """Builds the model of a function `build(schema, config) -> keras.Model`, and tries it on a batch.

    The model takes a dictionary of features: scalars (B, 1), lists ragged (B, None), vectors (B, D). It returns a
    prediction for each target, by name, or that of the only target: the probability (B, 1) of a binary one, a number
    (B, 1) for a regression, the probabilities (B, classes). If the function does not compile it, the loss follows from
    the kinds of the targets.

    Args:
        schema: Features and targets.
        targets: The targets that the model predicts.
        weighted: Whether the rows have weights.
        config: Settings; the function gets `config.options`.

    Returns:
        The model, built and compiled.

    Raises:
        ConfigError: if the function cannot be imported, fails, or returns something else.
    """
    function = import_function(config.module)
    try:
        model = function(schema, dict(config.options))
    except EmrysError:
        raise
    except Exception as error:  # the user's code may raise anything
        raise _failed(config.module, "build", error) from error
    if not isinstance(model, keras.Model):
        raise ConfigError(
            f"{config.module} must return a model", step=STEP, expected="a keras.Model", got=type(model).__name__
        )
    features = schema.excluding_by_name(mm.select_targets(schema).column_names)
    batch = sample_inputs(features, _ROWS)
    outputs = _call(model, batch, config.module)
    if not isinstance(model, mm.RetrievalModelV2):
        _check_outputs(outputs, targets, schema, config.module)
    if not model.compiled:
        _compile(model, targets, outputs, weighted, config)
    _check_saving(model, batch, outputs, config.module)
    return model


def _compile(
    model: keras.Model, targets: Sequence[Target], outputs: Any, weighted: bool, config: BuildModelConfig
) -> None:
    if not isinstance(model, mm.Model):
        compile_plain(model, targets, outputs, weighted, config)
    elif isinstance(model, mm.RetrievalModelV2) or None in (output.target for output in model.model_outputs):
        model.compile(optimizer=create_optimizer(config))
    else:
        compile_ranking(model, targets, weighted, config)


def import_function(name: str) -> Callable[..., Any]:
    """Imports a function by `package.module:function`.

    Raises:
        ConfigError: if there is none.
    """
    module_name, _, function_name = name.partition(":")
    if not module_name or not function_name:
        raise ConfigError("module", step=STEP, expected="package.module:function", got=repr(name))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ConfigError(f"{name} cannot be imported", step=STEP, got=str(error), fix=IMPORT_ADVICE) from error
    except Exception as error:
        raise _failed(name, "import", error) from error
    function = getattr(module, function_name, None)
    if not callable(function):
        known = [each for each, _ in inspect.getmembers(module, inspect.isfunction) if not each.startswith("_")]
        raise ConfigError(
            f"{module_name} has no function {function_name!r}", step=STEP, expected=", ".join(known) or "a function"
        )
    return function


def _failed(name: str, what: str, error: Exception) -> ConfigError:
    first_line = (str(error).strip().splitlines() or [""])[0]
    return ConfigError(f"{name} failed on {what}", step=STEP, got=f"{type(error).__name__}: {first_line}".rstrip(": "))


def _call(model: keras.Model, batch: Mapping[str, Any], name: str) -> Any:
    try:
        return model(batch)
    except Exception as error:
        columns = ", ".join(f"{column} {tuple(value.shape)}" for column, value in batch.items())
        failed = _failed(name, "a batch", error)
        failed.expected = f"a model that takes {columns}"
        raise ConfigError(failed.problem, step=STEP, expected=failed.expected, got=failed.got) from error


def _check_outputs(outputs: Any, targets: Sequence[Target], schema: Schema, name: str) -> None:
    by_target = outputs_by_target(outputs, targets)
    if by_target is None:
        got = ", ".join(outputs) if isinstance(outputs, Mapping) else type(outputs).__name__
        expected = ", ".join(target.name for target in targets)
        raise ConfigError(
            f"{name} must return a prediction for each target", step=STEP, expected=expected, got=got,
            fix="Return a dictionary by target, or for one target its prediction.",
        )  # fmt: skip
    for target in targets:
        width = number_of_classes(target, schema) if target.kind is TargetKind.CLASSES else 1
        values = np.asarray(by_target[target.name])
        problem = _problem(values, target.kind, width)
        if problem is not None:
            raise ConfigError(
                f"{name} returns a prediction that cannot be used",
                step=STEP,
                column=target.name,
                expected=problem,
                got=f"shape {values.shape}" + (f", values {values.min():g} to {values.max():g}" if values.size else ""),
            )


def _problem(values: npt.NDArray[Any], kind: TargetKind, width: int) -> str | None:
    """Description of the expected prediction where the given one does not fit; None if it fits."""
    if values.shape != (_ROWS, width):
        return f"shape (B, {width}), here ({_ROWS}, {width})"
    if not np.isfinite(values).all():
        return "finite numbers"
    if kind is TargetKind.BINARY and (values.min() < 0 or values.max() > 1):
        return "probabilities, from a last layer with activation sigmoid"
    if kind is TargetKind.CLASSES and not np.allclose(values.sum(axis=1), 1, atol=1e-2):
        return "probabilities with the sum 1, from a last layer with activation softmax"
    return None


def outputs_by_target(outputs: Any, targets: Sequence[Target]) -> dict[str, Any] | None:
    """The predictions by target; None if one is missing.

    Args:
        outputs: What a model returns: a dictionary by target, or by name of its output, or the only prediction.
        targets: The targets.
    """
    if not isinstance(outputs, Mapping):
        return {targets[0].name: outputs} if len(targets) == 1 and hasattr(outputs, "shape") else None
    found = {name.partition("/")[0] if name not in {each.name for each in targets} else name: value
             for name, value in outputs.items()}  # fmt: skip
    return found if all(target.name in found for target in targets) else None


def _check_saving(model: keras.Model, batch: Mapping[str, Any], outputs: Any, name: str) -> None:
    """Checks that the model comes back from its file with equal outputs."""
    with tempfile.TemporaryDirectory(prefix="emrys-build-") as folder:
        try:
            model.save(Path(folder) / "model.keras")
            again = keras.saving.load_model(Path(folder) / "model.keras")(batch)
        except Exception as error:
            failed = _failed(name, "saving and loading the model", error)
            raise ConfigError(failed.problem, step=STEP, got=failed.got, fix=_REGISTER) from error
    for one, other in zip(keras.tree.flatten(outputs), keras.tree.flatten(again), strict=True):
        if not np.allclose(np.asarray(one), np.asarray(other), rtol=1e-4, atol=1e-5):
            raise ConfigError(
                f"the model of {name} gives other predictions after saving and loading", step=STEP, fix=_REGISTER
            )


def module_of(config: BuildModelConfig) -> str:
    """Name of the user's module."""
    return config.module.partition(":")[0]
