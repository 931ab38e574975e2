"""Triton's `config.pbtxt` files of an ensemble and its two models: names, creation, writing, reading."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from emrys.blocks.errors import ArtifactError
from emrys.blocks.io import atomic_file
from emrys.components.serving.columns import Column
from emrys.components.serving.config import EnsembleConfig

#: Parameter of an ensemble with the values of the classes of each output, as JSON.
CLASSES = "classes"
#: Parameter of an ensemble with the unit of each column of times, as JSON: `s`, `ms`, `us` or `ns` since 1970, UTC.
UNITS = "time_units"

_TYPES = {"int64": pb.TYPE_INT64, "float32": pb.TYPE_FP32, "string": pb.TYPE_STRING}

#: Length of the lists in a warm-up request.
_WARMUP_LENGTH = 4


@dataclass(frozen=True)
class EnsembleNames:
    """Names of the models of an ensemble.

    Args:
        ensemble: Name of the ensemble.
    """

    ensemble: str

    @property
    def transform(self) -> str:
        """Name of the model that transforms raw rows."""
        return f"{self.ensemble}_transform"

    @property
    def model(self) -> str:
        """Name of the model that takes transformed rows."""
        return f"{self.ensemble}_model"


def python_config(
    name: str,
    config: EnsembleConfig,
    inputs: Sequence[Column],
    outputs: Sequence[Column],
    parameters: Mapping[str, str],
    queue_delay: int,
    preferred_batch_sizes: Sequence[int] = (),
) -> pb.ModelConfig:
    """Creates the configuration of a model that runs in the Python backend.

    Requests whose lists differ in length can share a batch, because the backend joins them. Before the model is ready
    it answers two warm-up requests of zeros and empty strings: one of a single row and one of a full batch.

    Args:
        name: Name of the model.
        config: Settings of the export.
        inputs: Inputs of the model.
        outputs: Outputs of the model.
        parameters: Parameters of the configuration.
        queue_delay: Microseconds that a request may wait for others; 0 batches only requests that are already queued.
        preferred_batch_sizes: Batch sizes that are sent without waiting for more. Default: none.

    Returns:
        The `ModelConfig` message.
    """
    message = pb.ModelConfig(
        name=name,
        backend="python",
        max_batch_size=config.max_batch_size,
        input=[_input(column, ragged=_dims(column) == [-1]) for column in inputs],
        output=[_output(column) for column in outputs],
        instance_group=[pb.ModelInstanceGroup(count=config.instances, kind=pb.ModelInstanceGroup.KIND_CPU)],
        dynamic_batching=pb.ModelDynamicBatching(
            preferred_batch_size=preferred_batch_sizes, max_queue_delay_microseconds=queue_delay
        ),
        model_warmup=[_warmup(rows, inputs) for rows in dict.fromkeys((1, config.max_batch_size))],
    )
    _add_parameters(message, parameters)
    return message


def ensemble_config(
    config: EnsembleConfig,
    transform: pb.ModelConfig,
    model: pb.ModelConfig,
    parameters: Mapping[str, str],
    raw: Sequence[Column],
    outputs: Sequence[Column],
    untransformed: Mapping[str, str] | None = None,
) -> pb.ModelConfig:
    """Creates the configuration of the ensemble: raw rows go through `transform`, its outputs through `model`.

    Args:
        config: Settings of the export.
        transform: `ModelConfig` of the transform.
        model: `ModelConfig` of the model.
        parameters: Parameters of the configuration.
        raw: Inputs of the ensemble.
        outputs: Outputs of the ensemble, which are those of the model.
        untransformed: Inputs of the model that bypass the transform, each with its raw column. Default: none.

    Returns:
        The `ModelConfig` message.
    """
    bypass = dict(untransformed or {})
    to_model = {one.name: bypass.get(one.name, f"transformed.{one.name}") for one in model.input}
    message = pb.ModelConfig(
        name=config.name,
        platform="ensemble",
        max_batch_size=config.max_batch_size,
        input=[_input(column) for column in raw],
        output=[_output(column) for column in outputs],
        ensemble_scheduling=pb.ModelEnsembling(
            step=[
                pb.ModelEnsembling.Step(
                    model_name=transform.name,
                    model_version=-1,
                    input_map={one.name: one.name for one in transform.input},
                    output_map={name: between for name, between in to_model.items() if name not in bypass},
                ),
                pb.ModelEnsembling.Step(
                    model_name=model.name,
                    model_version=-1,
                    input_map=to_model,
                    output_map={column.name: column.name for column in outputs},
                ),
            ]
        ),
    )
    _add_parameters(message, parameters)
    return message


def write_config(path: str | os.PathLike[str], config: pb.ModelConfig) -> None:
    """Writes a `ModelConfig` as protobuf text; equal messages produce equal bytes."""
    with atomic_file(path) as work:
        work.write_text(text_format.MessageToString(config), encoding="utf-8")


def read_config(path: str | os.PathLike[str]) -> pb.ModelConfig:
    """Reads a `config.pbtxt`.

    Raises:
        ArtifactError: if the file is missing or not a model configuration.
    """
    try:
        return text_format.Parse(Path(path).read_text(encoding="utf-8"), pb.ModelConfig())
    except FileNotFoundError:
        raise ArtifactError("the model configuration is missing", path=path) from None
    except text_format.ParseError as error:
        raise ArtifactError(f"not a model configuration ({error})", path=path) from None


def columns_of(tensors: Iterable[pb.ModelInput] | Iterable[pb.ModelOutput]) -> tuple[Column, ...]:
    """Converts the inputs or outputs of a `ModelConfig` to columns."""
    dtypes = {number: dtype for dtype, number in _TYPES.items()}
    return tuple(
        Column(
            name=tensor.name,
            dtype=dtypes[tensor.data_type],
            is_list=tensor.dims[0] != 1,
            length=int(tensor.dims[0]) if tensor.dims[0] > 1 else None,
        )
        for tensor in tensors
    )


def _input(column: Column, ragged: bool = False) -> pb.ModelInput:
    return pb.ModelInput(
        name=column.name, data_type=_TYPES[column.dtype], dims=_dims(column), allow_ragged_batch=ragged
    )


def _output(column: Column) -> pb.ModelOutput:
    return pb.ModelOutput(name=column.name, data_type=_TYPES[column.dtype], dims=_dims(column))


def _dims(column: Column) -> list[int]:
    if not column.is_list:
        return [1]
    return [column.length if column.length not in (None, 1) else -1]  # a list of one value remains a list


def _warmup(rows: int, inputs: Sequence[Column]) -> pb.ModelWarmup:
    tensors = {
        column.name: pb.ModelWarmup.Input(
            data_type=_TYPES[column.dtype], dims=[column.width or _WARMUP_LENGTH], zero_data=True
        )
        for column in inputs
    }
    return pb.ModelWarmup(name=f"rows_{rows}", batch_size=rows, inputs=tensors)


def _add_parameters(message: pb.ModelConfig, parameters: Mapping[str, str]) -> None:
    for name, value in parameters.items():
        message.parameters[name].string_value = value
