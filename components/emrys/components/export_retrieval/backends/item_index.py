"""The index of a catalogue as files: a top-k layer with its items, as NumPy and Faiss write them."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from emrys.blocks.errors import ArtifactError
from emrys.blocks.io import read_json, write_json
from emrys.blocks.retrieval.strategies import STRATEGIES
from emrys.blocks.retrieval.top_k_layer import TopKLayer

_DEFINITION = "index.json"
#: What `ApproximateTopK` keeps as the bytes of a file of Faiss.
_FAISS = "faiss"


def write_index(layer: TopKLayer, folder: Path) -> None:
    """Writes a top-k layer with its items.

    The folder gets `index.json` (the layer and K), `candidates.npy` (vectors, (N, D) float32), `ids.npy` ((N,) int64)
    and, of an approximate search, `report.npy` and `index.faiss`, which Faiss can read too.

    Args:
        layer: The layer, which has its items.
        folder: The folder to make.
    """
    folder.mkdir()
    kept: dict[str, Any] = {}
    layer.save_own_variables(kept)
    for name, values in kept.items():
        if name == _FAISS:
            (folder / f"index.{name}").write_bytes(np.asarray(values, np.uint8).tobytes())
        else:
            np.save(folder / f"{name}.npy", np.asarray(values), allow_pickle=False)
    strategy = next(name for name, kind in STRATEGIES.items() if type(layer) is kind)
    write_json(folder / _DEFINITION, {"strategy": strategy, "k": layer.k, "parts": sorted(kept)})


def read_index(folder: Path) -> TopKLayer:
    """Reads what `write_index` wrote.

    Raises:
        ArtifactError: if a file is missing or is no array, or the strategy is not known.
        DependencyError: if it is searched with Faiss, which is not installed.
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
    """Sets how many threads Faiss takes, where it is installed."""
    with contextlib.suppress(ImportError):
        import faiss

        faiss.omp_set_num_threads(threads)


def _part(folder: Path, name: str) -> Any:
    file = folder / (f"index.{name}" if name == _FAISS else f"{name}.npy")
    try:
        return np.fromfile(file, np.uint8) if name == _FAISS else np.load(file, allow_pickle=False)
    except FileNotFoundError:
        raise ArtifactError("a file of the index is missing", path=file) from None
    except (ValueError, EOFError) as error:
        raise ArtifactError(f"a file of the index is damaged ({error})", path=file) from None
