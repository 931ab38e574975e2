import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import emrys.blocks as mm
from emrys.blocks.errors import ArtifactError
from emrys.blocks.io import write_json
from emrys.components.contracts.evaluation import Evaluation
from emrys.components.contracts.retrieval_evaluation import RetrievalEvaluation

METADATA = {
    "user": "userId",
    "item": "movieId",
    "search": {"strategy": "approximate", "recall": 0.97, "index": None},
    "config": {"recall_floor": 0.9},
}


def write(folder, kind, candidates=True):
    with kind.create(folder, METADATA) as work:
        for name in ("metrics.json", "curves.json"):
            write_json(work / name, {})
        for name in ("rows.parquet", "report.html"):
            (work / name).write_text("")
        mm.SeenItems(pa.table({"userId": [7], "movieId": [[3, 4]]})).save(work / "seen_items.parquet")
        if candidates:
            pq.write_table(pa.table({"movieId": [3, 5], "key": [50, 10]}), work / "candidates.parquet")
    return folder


def test_columns_for_the_export(tmp_path):
    read = RetrievalEvaluation(write(tmp_path / "out", RetrievalEvaluation))
    assert (read.user, read.item, read.exact, read.config) == ("userId", "movieId", False, {"recall_floor": 0.9})
    assert read.candidates.to_pydict() == {"movieId": [3, 5], "key": [50, 10]}
    assert read.seen_items.lookup([7])[0].tolist() == [3, 4]
    assert Evaluation(tmp_path / "out").fingerprint == read.fingerprint  # the gate reads it as any other


def test_a_data_set_without_items_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match=r"the step wrote no candidates\.parquet"):
        write(tmp_path / "out", RetrievalEvaluation, candidates=False)
    write(tmp_path / "out", Evaluation, candidates=False)
    with pytest.raises(ArtifactError, match=r"candidates\.parquet: a file of the artifact is missing"):
        RetrievalEvaluation(tmp_path / "out")
