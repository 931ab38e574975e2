"""A model repository is published only after it was accepted."""

from __future__ import annotations

import pytest

from emrys.blocks.errors import ParityError
from emrys.components.contracts.triton_repository import TritonRepository
from emrys.components.serving.columns import Column
from emrys.components.serving.config import EnsembleConfig
from emrys.components.serving.parity import ParityResult
from emrys.components.serving.publishing import publish

CONFIG = EnsembleConfig(name="shop", version=3)
PARITY = ParityResult(rows=7, max_abs_difference=0.5, through="in-process")


def write(draft):
    for model in ("shop", "shop_transform", "shop_model"):
        (draft.models / model).mkdir()
        (draft.models / model / "config.pbtxt").write_text(f'name: "{model}"\n')
    draft.write_readme("# shop\n")


def test_an_accepted_draft_is_published_with_its_metadata(tmp_path):
    with publish("export", CONFIG, tmp_path / "repository") as draft:
        write(draft)
        assert not (tmp_path / "repository").exists()
        draft.accept([Column("id", "int64")], PARITY, versions={"emrys": "1.0"})
    metadata = TritonRepository(tmp_path / "repository").metadata
    assert (metadata["name"], metadata["version"], metadata["config"]["max_batch_size"]) == ("shop", 3, 1024)
    assert metadata["inputs"] == [
        {"name": "id", "dtype": "int64", "is_list": False, "cardinality": None, "length": None}
    ]
    assert metadata["parity"] == {"rows": 7, "max_abs_difference": 0.5, "through": "in-process"}
    assert metadata["versions"] == {"emrys": "1.0"}


def test_a_draft_without_a_parity_result_is_not_published(tmp_path):
    with pytest.raises(ParityError, match="repository"), publish("export", CONFIG, tmp_path / "repository") as draft:
        write(draft)
    assert list(tmp_path.iterdir()) == []
