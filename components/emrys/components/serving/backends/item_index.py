"""Files of an item index: a top-k layer with its items, in the formats of NumPy and Faiss."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emrys.blocks.errors import ArtifactError
from emrys.blocks.io import read_json, write_json
from emrys.blocks.retrieval.top_k_layer import TopKLayer
from emrys.blocks.retrieval.top_k_output import STRATEGIES

_DEFINITION = "index.json"
#: Variable of `ApproximateTopK` with the bytes of a Faiss file.
_FAISS = "faiss"


def write_index(layer: TopKLayer, folder: Path) -> None:
    """Writes a top-k layer with its items.

    The files are `index.json` (the layer and K), `candidates.npy` (vectors, (N, D) float32) and `ids.npy` ((N,) int64);
    for an approximate search also `report.npy` and `index.faiss`, which Faiss can read too.

    Args:
        layer: The layer, after `index`.
        folder: Folder to create.
    """
    folder.mkdir()
    variables: dict[str, Any] = {}
    layer.save_own_variables(variables)
    for name, values in variables.items():
        if name == _FAISS:
            (folder / f"index.{name}").write_bytes(np.asarray(values, np.uint8).tobytes())
        else:
            np.save(folder / f"{name}.npy", np.asarray(values), allow_pickle=False)
    strategy = next(name for name, kind in STRATEGIES.items() if type(layer) is kind)
    write_json(folder / _DEFINITION, {"strategy": strategy, "k": layer.k, "parts": sorted(variables)})


def read_index(folder: Path) -> TopKLayer:
    """Reads an index that `write_index` wrote.

    Raises:
        ArtifactError: if a file is missing or not an array, or the strategy is unknown.
        DependencyError: if the index needs Faiss, which is not installed.
    """
    definition = read_json(folder / _DEFINITION)
    if definition["strategy"] not in STRATEGIES:
        raise ArtifactError(
            "the index has an unknown strategy",
            path=folder / _DEFINITION,
            expected=", ".join(STRATEGIES),
            got=repr(definition["strategy"]),
        )
    layer = STRATEGIES[definition["strategy"]](k=definition["k"])
    layer.load_own_variables({name: _part(folder, name) for name in definition["parts"]})
    return layer


def limit_index_threads(threads: int) -> None:
    """Sets the number of threads of Faiss, if it is installed."""
    with contextlib.suppress(ImportError):
        import faiss

        faiss.omp_set_num_threads(threads)


def _part(folder: Path, name: str) -> npt.NDArray[Any]:
    file = folder / (f"index.{name}" if name == _FAISS else f"{name}.npy")
    try:
        return np.fromfile(file, np.uint8) if name == _FAISS else np.load(file, allow_pickle=False)
    except FileNotFoundError:
        raise ArtifactError("a file of the index is missing", path=file) from None
    except (ValueError, EOFError) as error:
        raise ArtifactError(f"a file of the index is damaged ({error})", path=file) from None
