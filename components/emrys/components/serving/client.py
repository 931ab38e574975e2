"""Client of a served ensemble: raw rows in, scores or recommended items out."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import tritonclient.grpc
import tritonclient.http
from google.protobuf import json_format
from tritonclient.grpc import model_config_pb2
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from emrys.blocks.errors import ConfigError, ServingError
from emrys.components.serving.columns import Column, Columns
from emrys.components.serving.model_config import CLASSES, UNITS, columns_of
from emrys.components.serving.packing import Rows, pack
from emrys.components.serving.recommendation import ITEM_IDS, Recommendation, unpack_recommendations


class EnsembleClient:
    """A connection to a served ensemble; a context manager.

    The client asks the server for the columns of a row, so that it needs only the address.

    Args:
        url: Host and port, without a scheme.
        protocol: `grpc` or `http`.
        model_name: Name of the ensemble. Default: the only ensemble on the server.
        timeout: Longest time of a request in seconds. Default: 60.

    Raises:
        ConfigError: if the protocol is unknown.
    """

    def __init__(self, url: str, protocol: str = "grpc", model_name: str | None = None, timeout: float = 60.0) -> None:
        self.url = url
        self._name = model_name
        if protocol == "grpc":
            self._library, self._options = tritonclient.grpc, {"client_timeout": timeout}
            self._client = tritonclient.grpc.InferenceServerClient(url)
        elif protocol == "http":
            self._library, self._options = tritonclient.http, {}
            self._client = tritonclient.http.InferenceServerClient(
                url, connection_timeout=timeout, network_timeout=timeout
            )
        else:
            raise ConfigError("unknown protocol", expected="grpc or http", got=repr(protocol))
        self._protocol = protocol

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    @cached_property
    def model_name(self) -> str:
        """Name of the ensemble.

        Raises:
            ConfigError: if no name was passed and the server does not have exactly one ensemble.
        """
        if self._name is not None:
            return self._name
        names = self._ensembles()
        if len(names) != 1:
            raise ConfigError(
                "the server must have exactly one ensemble if model_name is not set",
                path=self.url,
                expected="one ensemble",
                got=", ".join(names) or "none",
                fix="Pass model_name.",
            )
        return names[0]

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of a raw row."""
        return columns_of(self._config.input)

    @property
    def recommends(self) -> bool:
        """Whether the ensemble returns a list of items per row instead of a score."""
        return any(column.name == ITEM_IDS for column in columns_of(self._config.output))

    @property
    def classes(self) -> dict[str, list[int | str]]:
        """Values of the classes of each output with class probabilities, in their order."""
        return json.loads(self._config.parameters[CLASSES].string_value or "{}")

    @property
    def time_units(self) -> dict[str, str]:
        """Unit of each column of times: `s`, `ms`, `us` or `ns` since 1970, UTC."""
        return json.loads(self._config.parameters[UNITS].string_value or "{}")

    def predict(self, rows: Rows) -> npt.NDArray[np.float32]:
        """Scores raw rows, in several requests if they exceed the batch size of the server.

        Args:
            rows: A list of rows, or a list of values per column; None is null.

        Returns:
            One score per row, (B,) float32; the probabilities of the classes, (B, C), of a model with classes.

        Raises:
            ConfigError: if the ensemble recommends items, or has several outputs.
            DataError: if a row lacks a column or a value has another type.
            ServingError: if the server cannot be reached or refuses the rows.
        """
        scores = self.predict_all(rows)
        if len(scores) != 1:
            raise ConfigError(
                f"{self.model_name} has several outputs",
                path=self.url,
                got=", ".join(scores),
                fix="Call predict_all().",
            )
        return next(iter(scores.values()))

    def predict_all(self, rows: Rows) -> dict[str, npt.NDArray[np.float32]]:
        """Scores raw rows for each target, in several requests if they exceed the batch size of the server.

        Args:
            rows: A list of rows, or a list of values per column; None is null.

        Returns:
            By output: one score per row, (B,) float32, or the probabilities of the classes, (B, C).

        Raises:
            ConfigError: if the ensemble recommends items.
            DataError: if a row lacks a column or a value has another type.
            ServingError: if the server cannot be reached or refuses the rows.
        """
        if self.recommends:
            raise ConfigError(f"{self.model_name} recommends items", path=self.url, fix="Call recommend().")
        answers = list(self._answers(rows))
        scores = {}
        for column in columns_of(self._config.output):
            parts = [answer[column.name] for answer in answers]
            values = np.concatenate([np.empty((0, column.width or 1), dtype=np.float32), *parts])
            scores[column.name] = values if column.is_list else values[:, 0]
        return scores

    def recommend(self, rows: Rows) -> list[list[Recommendation]]:
        """Recommends items for raw queries, in several requests if they exceed the batch size of the server.

        Args:
            rows: A list of rows, or a list of values per column; None is null.

        Returns:
            The items of each row, best first; fewer than K if fewer items are left to recommend.

        Raises:
            ConfigError: if the ensemble returns scores.
            DataError: if a row lacks a column or a value has another type.
            ServingError: if the server cannot be reached or refuses the rows.
        """
        if not self.recommends:
            raise ConfigError(f"{self.model_name} returns a score per row", path=self.url, fix="Call predict().")
        return [items for answer in self._answers(rows) for items in unpack_recommendations(answer)]

    def _answers(self, rows: Rows) -> Iterator[Columns]:
        columns = pack(rows, self.columns)
        total = len(next(iter(columns.values())))
        limit = self._config.max_batch_size or total
        for start in range(0, total, limit):
            yield self.infer({name: values[start : start + limit] for name, values in columns.items()})

    def infer(self, columns: Columns, outputs: Sequence[str] | None = None, model_name: str | None = None) -> Columns:
        """Sends one request of packed arrays.

        Args:
            columns: Inputs by name, scalars (B, 1), lists (B, L).
            outputs: Names of the outputs to return. Default: all.
            model_name: A model of the same repository. Default: the ensemble.

        Returns:
            Outputs by name.

        Raises:
            ServingError: if the server cannot be reached or refuses the request.
        """
        inputs = []
        for name, values in columns.items():
            tensor = self._library.InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype))
            tensor.set_data_from_numpy(values)
            inputs.append(tensor)
        requested = None if outputs is None else [self._library.InferRequestedOutput(name) for name in outputs]
        with self._errors():
            result = self._client.infer(model_name or self.model_name, inputs, outputs=requested, **self._options)
            names = outputs if outputs is not None else self._names(result)
            return {name: result.as_numpy(name) for name in names}

    @cached_property
    def _config(self) -> Any:
        with self._errors():
            if self._protocol == "grpc":
                return self._client.get_model_config(self.model_name, **self._options).config
            config = self._client.get_model_config(self.model_name)
        return json_format.ParseDict(config, model_config_pb2.ModelConfig(), ignore_unknown_fields=True)

    def _ensembles(self) -> list[str]:
        with self._errors():
            if self._protocol == "grpc":
                models = [one.name for one in self._client.get_model_repository_index(**self._options).models]
            else:
                models = [one["name"] for one in self._client.get_model_repository_index()]
        return [name for name in models if {f"{name}_transform", f"{name}_model"} <= set(models)]

    def _names(self, result: Any) -> list[str]:
        response = result.get_response()
        tensors = response.outputs if self._protocol == "grpc" else response["outputs"]
        return [tensor.name if self._protocol == "grpc" else tensor["name"] for tensor in tensors]

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except InferenceServerException as error:
            reached = "UNAVAILABLE" not in str(error.status())
            raise self._failure(error.message() or str(error), reached) from error
        except OSError as error:  # raised by the HTTP client
            raise self._failure(str(error), reached=False) from error

    def _failure(self, reason: str, reached: bool) -> ServingError:
        if reached:
            return ServingError("the server refused the request", path=self.url, got=reason)
        return ServingError(
            "the server cannot be reached",
            path=self.url,
            got=reason.splitlines()[0] if reason else None,
            fix="Start it: emrys serve DIR.",
        )


def predict(url: str, rows: Rows, protocol: str = "grpc", model_name: str | None = None) -> npt.NDArray[np.float32]:
    """Scores raw rows with a served ensemble.

    Args:
        url: Host and port, without a scheme.
        rows: A list of rows, or a list of values per column; None is null.
        protocol: `grpc` or `http`.
        model_name: Name of the ensemble. Default: the only ensemble on the server.

    Returns:
        One score per row, (B,) float32.

    Raises:
        ConfigError: if the protocol is unknown, or the ensemble recommends items.
        DataError: if a row lacks a column or a value has another type.
        ServingError: if the server cannot be reached or refuses the rows.
    """
    with EnsembleClient(url, protocol, model_name) as client:
        return client.predict(rows)
