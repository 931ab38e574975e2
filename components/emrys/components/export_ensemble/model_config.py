"""The `config.pbtxt` of the three models, through Triton's protobuf messages."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from emrys.blocks.errors import ArtifactError
from emrys.blocks.io import atomic_file
from emrys.components.export_ensemble.columns import Column
from emrys.components.export_ensemble.config import ExportConfig

_TYPES = {"int64": pb.TYPE_INT64, "float32": pb.TYPE_FP32, "string": pb.TYPE_STRING}

#: Length of the lists in a warm-up request.
_WARMUP_LENGTH = 4


def python_config(
    name: str,
    config: ExportConfig,
    inputs: Sequence[Column],
    outputs: Sequence[Column],
    parameters: Mapping[str, str],
    queue_delay: int,
    preferred_batch_sizes: Sequence[int] = (),
) -> Any:
    """Describes a model that runs in the Python backend.

    Requests whose lists differ in length share a batch too: the step joins them. Before the model is ready it answers
    two made requests, one row and a full batch, all zeros and empty strings.

    Args:
        name: Name of the model.
        config: Settings of the export.
        inputs: What it takes.
        outputs: What it gives.
        parameters: Texts that travel with the model.
        queue_delay: Microseconds that a request waits for others; 0 takes just those that are there.
        preferred_batch_sizes: Batches that are sent without waiting for more.

    Returns:
        The `ModelConfig` message.
    """
    message = pb.ModelConfig(
        name=name,
        backend="python",
        max_batch_size=config.max_batch_size,
        input=[_input(column, ragged=column.is_list) for column in inputs],
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
    config: ExportConfig,
    transform: Any,
    model: Any,
    parameters: Mapping[str, str],
    raw: Sequence[Column],
    outputs: Sequence[Column],
    untransformed: Mapping[str, str] | None = None,
) -> Any:
    """Describes the ensemble: raw rows through `transform`, what it gives through `model`.

    Args:
        config: Settings of the export.
        transform: `ModelConfig` of the transform.
        model: `ModelConfig` of the model.
        parameters: Texts that travel with the ensemble.
        raw: What a caller sends.
        outputs: What a caller gets: outputs of the model.
        untransformed: Inputs of the model that are columns of the caller as they are: input to column. Default: none.

    Returns:
        The `ModelConfig` message.
    """
    straight = dict(untransformed or {})
    to_model = {one.name: straight.get(one.name, f"transformed.{one.name}") for one in model.input}
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
                    output_map={name: between for name, between in to_model.items() if name not in straight},
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


def write_config(path: str | os.PathLike[str], config: Any) -> None:
    """Writes a `ModelConfig` as protobuf text; equal messages give equal bytes."""
    with atomic_file(path) as work:
        work.write_text(text_format.MessageToString(config), encoding="utf-8")


def read_config(path: str | os.PathLike[str]) -> Any:
    """Reads a `config.pbtxt`.

    Raises:
        ArtifactError: if the file is missing or is no model configuration.
    """
    try:
        return text_format.Parse(Path(path).read_text(encoding="utf-8"), pb.ModelConfig())
    except FileNotFoundError:
        raise ArtifactError("the model configuration is missing", path=path) from None
    except text_format.ParseError as error:
        raise ArtifactError(f"not a model configuration ({error})", path=path) from None


def columns_of(tensors: Any) -> tuple[Column, ...]:
    """Columns from the inputs or outputs of a `ModelConfig`."""
    dtypes = {number: dtype for dtype, number in _TYPES.items()}
    return tuple(
        Column(name=tensor.name, dtype=dtypes[tensor.data_type], is_list=list(tensor.dims) == [-1])
        for tensor in tensors
    )


def _input(column: Column, ragged: bool = False) -> Any:
    return pb.ModelInput(
        name=column.name, data_type=_TYPES[column.dtype], dims=_dims(column), allow_ragged_batch=ragged
    )


def _output(column: Column) -> Any:
    return pb.ModelOutput(name=column.name, data_type=_TYPES[column.dtype], dims=_dims(column))


def _dims(column: Column) -> list[int]:
    return [-1] if column.is_list else [1]


def _warmup(rows: int, inputs: Sequence[Column]) -> Any:
    made = {
        column.name: pb.ModelWarmup.Input(
            data_type=_TYPES[column.dtype], dims=[_WARMUP_LENGTH if column.is_list else 1], zero_data=True
        )
        for column in inputs
    }
    return pb.ModelWarmup(name=f"rows_{rows}", batch_size=rows, inputs=made)


def _add_parameters(message: Any, parameters: Mapping[str, str]) -> None:
    for name, value in parameters.items():
        message.parameters[name].string_value = value
