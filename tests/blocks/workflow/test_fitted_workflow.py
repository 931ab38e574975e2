from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emrys.blocks.errors import ArtifactError, ConfigError, DataError
from emrys.blocks.workflow import Categorify, FillNormalize, FittedWorkflow, OutputColumn, RawColumn, TargetEncoding


def categories(values: list[object], kind: pa.DataType) -> pa.Table:
    counts = pa.array(range(len(values), 0, -1), pa.int64())
    return pa.table({"value": pa.array(values, kind), "count": counts})


def groups(values: list[object], counts: list[int], sums: list[float], kind: pa.DataType) -> pa.Table:
    return pa.table(
        {"value": pa.array(values, kind), "count": pa.array(counts, pa.int64()), "sum": pa.array(sums, pa.float64())}
    )


def encoding(**changes: object) -> TargetEncoding:
    # Smoothing 2 and overall mean 3: user 7 has (9 + 2 * 3) / (3 + 2) = 3, user 8 has (5 + 6) / (1 + 2) = 11 / 3,
    # null has (2 + 6) / (2 + 2) = 2, anybody else 3. Normalised with mean 3 and std 0.5: 0, 4 / 3, -2, 0.
    arguments = {
        "column": "user",
        "dtype": "int64",
        "target": "rating",
        "groups": groups([7, 8, None], [3, 1, 2], [9.0, 5.0, 2.0], pa.int64()),
        "target_mean": 3.0,
        "smoothing": 2.0,
        "mean": 3.0,
        "std": 0.5,
        "folds": 5,
        "fold_seed": 42,
    }
    return TargetEncoding(**{**arguments, **changes})  # type: ignore[arg-type]


@pytest.fixture
def workflow() -> FittedWorkflow:
    return FittedWorkflow(
        [
            Categorify("user", "int64", categories([8, 7], pa.int64())),
            Categorify("city", "string", categories(["Ulm", "Köln"], pa.string()), freq_threshold=1, max_size=9),
            Categorify("tags", "string", categories(["a", "b", "c"], pa.string()), is_list=True),
            FillNormalize("year", fill=1990.0, mean=1980.0, std=4.0),
            encoding(),
        ],
        targets=["click"],
    )


def request() -> dict[str, np.ndarray]:
    return {
        "user": np.array([7, 8, 9, -(2**63)]),
        "city": np.array(["Köln".encode(), "Ulm", "Bonn", b""], dtype=object),
        "tags": np.array([[b"c", b"a"], [b"", b"b"], [b"?", b""], [b"", b""]], dtype=object),
        "year": np.array([1984.0, math.nan, math.inf, 1976.0], np.float32),
    }


def test_every_step_by_hand(workflow: FittedWorkflow) -> None:
    out = workflow.transform(request())
    assert list(out) == ["user", "city", "tags", "year", "TE_user_rating"]
    # 1 null, 2 unseen, 3 and on in the order of the table
    assert out["user"].tolist() == [[4], [3], [2], [1]]
    assert out["city"].tolist() == [[4], [3], [2], [1]]
    # elements keep their order, the missing one of the second row moves to the right as padding
    assert out["tags"].tolist() == [[5, 3], [4, 0], [2, 0], [0, 0]]
    # (1984 - 1980) / 4, then twice the filled (1990 - 1980) / 4, then (1976 - 1980) / 4
    assert out["year"].tolist() == [[1.0], [2.5], [2.5], [-1.0]]
    np.testing.assert_allclose(out["TE_user_rating"], [[0.0], [4 / 3], [0.0], [-2.0]], rtol=1e-7)
    assert {name: str(values.dtype) for name, values in out.items()} == {
        "user": "int64",
        "city": "int64",
        "tags": "int64",
        "year": "float32",
        "TE_user_rating": "float32",
    }


def test_a_row_does_not_depend_on_the_others_nor_on_the_spelling(workflow: FittedWorkflow) -> None:
    whole = workflow.transform(request())
    for row in range(4):
        alone = workflow.transform({name: values[row : row + 1] for name, values in request().items()})
        for name, values in alone.items():
            assert values.tolist() == whole[name][row : row + 1].tolist()
    other = {name: values if name == "tags" else values[:, None] for name, values in request().items()}
    other["city"] = np.array([["Köln"], [b"Ulm"], ["x"], [None]], dtype=object)
    other["user"] = other["user"].astype(object).astype(np.int64)
    for name, values in workflow.transform(other).items():
        assert values.tolist() == whole[name].tolist()


def test_no_rows_and_no_elements(workflow: FittedWorkflow) -> None:
    out = workflow.transform({name: values[:0] for name, values in request().items()})
    assert {name: values.shape for name, values in out.items()} == {
        "user": (0, 1),
        "city": (0, 1),
        "tags": (0, 2),
        "year": (0, 1),
        "TE_user_rating": (0, 1),
    }
    empty = {**request(), "tags": np.empty((4, 0), dtype=object)}
    assert workflow.transform(empty)["tags"].shape == (4, 0)


def test_a_table_gives_the_same(workflow: FittedWorkflow) -> None:
    table = pa.table(
        {
            "city": pa.array(["Köln", "Ulm", "Bonn", None]).dictionary_encode(),
            "tags": pa.array([["c", "a"], [None, "b"], ["?"], None], pa.large_list(pa.string())),
            "user": pa.array([7, 8, 9, None], pa.int32()),
            "year": pa.array([1984.0, None, math.inf, 1976.0], pa.float64()),
            "left out": [1, 2, 3, 4],
        }
    )
    out = workflow.transform_table(table)
    assert out.schema == pa.schema(
        [
            ("user", pa.int64()),
            ("city", pa.int64()),
            ("tags", pa.list_(pa.int64())),
            ("year", pa.float32()),
            ("TE_user_rating", pa.float32()),
        ]
    )
    assert out["tags"].to_pylist() == [[5, 3], [4], [2], []]
    single = workflow.transform(request())
    for name in ("user", "city", "year", "TE_user_rating"):
        assert out[name].to_pylist() == single[name][:, 0].tolist()


def test_schema_of_the_columns(workflow: FittedWorkflow) -> None:
    assert workflow.raw_columns == (
        RawColumn("user", "int64"),
        RawColumn("city", "string"),
        RawColumn("tags", "string", True),
        RawColumn("year", "float32"),
    )
    assert workflow.output_columns[2] == OutputColumn("tags", "int64", True, 6, "tags", "categorify")
    assert workflow.output_columns[4] == OutputColumn(
        "TE_user_rating", "float32", False, None, "user", "target_encoding"
    )
    assert workflow.targets == ("click",)


def test_constant_columns_are_only_centred() -> None:
    workflow = FittedWorkflow([FillNormalize("x", fill=0.0, mean=5.0, std=0.0), encoding(std=0.0)])
    out = workflow.transform({"x": np.array([7.0], np.float32), "user": np.array([8])})
    assert out["x"].tolist() == [[2.0]]
    np.testing.assert_allclose(out["TE_user_rating"], [[2 / 3]], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("user", np.array([1.0, 2, 3, 4]), "column 'user': the column has the wrong type; expected int64, got float64"),
        ("user", np.array([1, 2, 3, 4], np.uint64), "expected int64, got uint64"),
        ("year", np.array([1, 2, 3, 4]), "column 'year': the column has the wrong type; expected float32, got int64"),
        ("city", np.array([1, 2, 3, 4]), "expected strings (str or bytes), got int64"),
        ("city", np.array(["a", 2, "b", "c"], object), "column 'city': the values are not strings; expected str or"),
        (
            "city",
            np.array(["a", ["b"], "b", "c"], object),
            "the values are not strings; expected str or bytes, got lis",
        ),
        ("user", np.zeros((4, 2), np.int64), "column 'user': the column has the wrong shape; expected (B,) or (B, 1)"),
        (
            "tags",
            np.array([b"a"] * 4, object),
            "column 'tags': the column has the wrong shape; expected (B, L), got (4",
        ),
        (
            "year",
            np.zeros(3, np.float32),
            "column 'year': the columns have different numbers of rows; expected 4, as in",
        ),
    ],
)
def test_a_column_that_does_not_fit(workflow: FittedWorkflow, name: str, values: np.ndarray, message: str) -> None:
    with pytest.raises(DataError) as caught:
        workflow.transform({**request(), name: values})
    assert message in str(caught.value)


def test_missing_and_unknown_columns(workflow: FittedWorkflow) -> None:
    columns = request()
    columns["City"] = columns.pop("city")
    with pytest.raises(DataError) as caught:
        workflow.transform(columns)
    assert str(caught.value) == (
        "column 'city': the column is missing; expected user, city, tags, year. Did you mean 'City'?"
    )
    with pytest.raises(DataError, match="column 'colour': the column is unknown; expected user, city, tags, year"):
        workflow.transform({**request(), "colour": np.array([1] * 4)})


def test_steps_that_contradict_each_other() -> None:
    with pytest.raises(ConfigError, match="column 'user': two steps have the same output column, or it is a target"):
        FittedWorkflow([Categorify("user", "int64", categories([8], pa.int64()))], targets=["user"])
    with pytest.raises(ConfigError, match="column 'user': two steps read the column differently"):
        FittedWorkflow([Categorify("user", "string", categories(["a"], pa.string())), encoding()])
    with pytest.raises(ConfigError, match="a workflow needs at least one step"):
        FittedWorkflow([])


def test_round_trip_through_files(workflow: FittedWorkflow, tmp_path: Path) -> None:
    workflow.save(tmp_path / "a")
    again = FittedWorkflow.load(tmp_path / "a")
    assert again.ops == workflow.ops
    assert again.targets == ("click",)
    again.save(tmp_path / "b")
    files = sorted(file.name for file in (tmp_path / "a").iterdir())
    assert files == [
        "000-categorify.parquet",
        "001-categorify.parquet",
        "002-categorify.parquet",
        "004-target_encoding.parquet",
        "workflow.json",
    ]
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    out = again.transform(request())
    for name, values in workflow.transform(request()).items():
        assert out[name].tolist() == values.tolist()


def edit(folder: Path, **changes: object) -> None:
    path = folder / "workflow.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def first_step(folder: Path, **changes: object) -> None:
    ops = json.loads((folder / "workflow.json").read_text())["ops"]
    edit(folder, ops=[{**ops[0], **changes}, *ops[1:]])


def test_loaded_files_are_checked(workflow: FittedWorkflow, tmp_path: Path) -> None:
    folder = tmp_path / "w"
    table = folder / "000-categorify.parquet"

    def refused() -> str:
        with pytest.raises(ArtifactError) as caught:
            FittedWorkflow.load(folder)
        assert "\n" not in str(caught.value)
        workflow.save(folder)
        return str(caught.value)

    assert "workflow.json: the file is missing" in refused()
    edit(folder, version=2)
    assert "the workflow has another version; expected 1, got 2" in refused()
    first_step(folder, kind="lambda")
    message = refused()
    assert "an unknown step; expected categorify, fill_normalize, target_encoding, number_chain" in message
    assert "got 'lambda' as step 0" in message
    first_step(folder, dtype="bool")
    assert "column 'user': step 0 does not fit: the keys are 'bool'" in refused()
    first_step(folder, dtype="string")
    assert "the table has the columns value int64, count int64; expected value string, count int64" in refused()
    first_step(folder, rows=3)
    assert "000-categorify.parquet: a table of the workflow is damaged; expected 3 rows, got 2" in refused()
    edit(folder, targets=["user"])
    assert "the definition contradicts itself" in refused()
    (folder / "workflow.json").write_text('{"version": 1}')
    assert "the definition is incomplete (KeyError('ops'))" in refused()
    table.unlink()
    assert "000-categorify.parquet: a table of the workflow is missing" in refused()
    table.write_bytes(table.read_bytes()[:-20])
    assert "000-categorify.parquet: a table of the workflow is damaged" in refused()
    pq.write_table(categories([8, 8], pa.int64()), table)
    assert "step 0 does not fit: the table has duplicate values" in refused()
    pq.write_table(categories([8, None], pa.int64()), table)
    assert "step 0 does not fit: the table has nulls" in refused()


def test_a_table_outside_of_the_folder_is_not_read(workflow: FittedWorkflow, tmp_path: Path) -> None:
    workflow.save(tmp_path / "w")
    pq.write_table(categories([1, 2], pa.int64()), tmp_path / "secret.parquet")
    first_step(tmp_path / "w", table="../secret.parquet")
    with pytest.raises(ArtifactError, match=r"w/secret\.parquet: a table of the workflow is missing"):
        FittedWorkflow.load(tmp_path / "w")


@pytest.mark.slow
def test_serving_imports_little(workflow: FittedWorkflow, tmp_path: Path) -> None:
    workflow.save(tmp_path / "w")
    code = """if True:
        import sys
        import numpy as np
        from emrys.blocks.workflow import FittedWorkflow
        workflow = FittedWorkflow.load(sys.argv[1])
        rows = {"user": np.array([7]), "city": np.array([b"Ulm"], object), "tags": np.array([[b"a"]], object),
                "year": np.array([1984], np.float32)}
        print(workflow.transform(rows)["city"][0, 0])
        print(*sorted({"tensorflow", "keras", "nvtabular", "merlin", "dask"} & set(sys.modules)))
    """
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "w")], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["3"]
