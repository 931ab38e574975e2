"""The index of a catalogue, written and read back."""

from __future__ import annotations

import json

import faiss
import numpy as np
import pytest

import emrys.blocks as mm
from emrys.blocks.errors import ArtifactError
from emrys.components.serving.backends.item_index import read_index, write_index

_RANDOM = np.random.default_rng(0)
VECTORS = _RANDOM.normal(size=(400, 6)).astype(np.float32)
IDS = np.arange(400) * 2 + 3
QUERIES = _RANDOM.normal(size=(9, 6)).astype(np.float32)


@pytest.mark.parametrize("kind", [mm.BruteForce, lambda k: mm.ApproximateTopK(k=k, recall_target=0.6, exact_up_to=10)])
def test_it_finds_the_same_again(tmp_path, kind):
    layer = kind(k=7).index(VECTORS, IDS)
    write_index(layer, tmp_path / "index")
    again = read_index(tmp_path / "index")
    assert type(again) is type(layer)
    for one, other in zip(again(QUERIES), layer(QUERIES), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_approximate_index_is_a_file_of_faiss_and_looks_at_as_many_lists(tmp_path):
    layer = mm.ApproximateTopK(k=7, recall_target=0.6, exact_up_to=10).index(VECTORS, IDS)
    write_index(layer, tmp_path / "index")
    index = faiss.read_index(str(tmp_path / "index" / "index.faiss"))
    assert (index.ntotal, index.nlist, index.nprobe) == (400, layer.report.lists, layer.report.probes)
    assert layer.report.probes < layer.report.lists
    assert read_index(tmp_path / "index").report == layer.report
    np.testing.assert_array_equal(np.load(tmp_path / "index" / "candidates.npy", allow_pickle=False), VECTORS)


def test_an_invalid_index_is_refused(tmp_path):
    write_index(mm.BruteForce(k=2).index(VECTORS, IDS), tmp_path / "index")
    (tmp_path / "index" / "ids.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(ArtifactError, match=r"ids\.npy: a file of the index is damaged"):
        read_index(tmp_path / "index")
    (tmp_path / "index" / "ids.npy").unlink()
    with pytest.raises(ArtifactError, match=r"ids\.npy: a file of the index is missing"):
        read_index(tmp_path / "index")
    (tmp_path / "index" / "index.json").write_text(json.dumps({"strategy": "guess", "k": 1, "parts": []}))
    with pytest.raises(ArtifactError, match="expected brute-force-topk, approximate-topk, got 'guess'"):
        read_index(tmp_path / "index")
