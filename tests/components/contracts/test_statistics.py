import pytest

from emrys.blocks.errors import ArtifactError
from emrys.blocks.io import write_json
from emrys.components.contracts.column_statistics import ColumnKind, ColumnStatistics, Numbers, Values
from emrys.components.contracts.statistics import Statistics

AGE = ColumnStatistics(
    "age", "int64", ColumnKind.NUMBER, 4, 1, 0, 2,
    numbers=Numbers(3, 20.0, 30.0, 70 / 3, 4.714, 0, {"50": 20.0}, (15.0, 25.0, 35.0), (2, 1)),
)  # fmt: skip
GENRES = ColumnStatistics(
    "genres", "list<item: string>", ColumnKind.LIST, 4, 0, 0, 2,
    values=Values(5, 2, (("Drama", 4), ("Café", 1))),
    lengths=Numbers(4, 1.0, 2.0, 1.25, 0.433, 0, {"50": 1.0}, (0.5, 1.5, 2.5), (3, 1)),
)  # fmt: skip
USER = ColumnStatistics("userId", "int64", ColumnKind.IDENTIFIER, 4, 0, 0, 1, values=Values(4, 1, ((2**60 + 1, 4),)))


def write(path, columns=(AGE, GENRES, USER), **replaced):
    given = {
        "rows": {"train": 4, "valid": 1, "test": 1},
        "columns": columns,
        "validation": {"verdict": "passed", "findings": []},
        "report": "<html>",
        "plots": {"age": "<svg/>"},
        "metadata": {"verdict": "passed"},
    }
    return Statistics.write(path, **{**given, **replaced})


def test_round_trip(tmp_path):
    write(tmp_path / "s")
    found = Statistics(tmp_path / "s")
    assert found.columns == {"age": AGE, "genres": GENRES, "userId": USER}
    assert list(found.columns) == ["age", "genres", "userId"]
    assert found.columns["age"].null_share == 0.25
    assert found.rows == {"train": 4, "valid": 1, "test": 1}
    assert (found.verdict, found.findings, found.metadata) == ("passed", [], {"verdict": "passed"})
    assert found.plots == {"age": "<svg/>"}
    assert found.report.read_text(encoding="utf-8") == "<html>"


def test_a_column_without_values(tmp_path):
    empty = ColumnStatistics("age", "int64", ColumnKind.NUMBER, 0, 0, 0, 0)
    assert write(tmp_path / "s", [empty]).columns["age"] == empty
    assert empty.null_share == 0.0


def test_numbers_that_json_does_not_know_are_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write(tmp_path / "s", validation={"verdict": float("nan")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [{"rows": {}}, {"columns": [{"name": "age"}]}, {"columns": [3]}, []])
def test_statistics_that_cannot_be_read(tmp_path, content):
    with Statistics.create(tmp_path / "s", {}) as work:
        for name in ("statistics.json", "validation.json"):
            write_json(work / name, content)
        (work / "report.html").write_text("", encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"statistics\.json: the statistics cannot be read"):
        Statistics(tmp_path / "s").columns  # noqa: B018 - reading it is what fails


def test_a_missing_file(tmp_path):
    write(tmp_path / "s")
    (tmp_path / "s" / "plots" / "age.svg").unlink()
    with pytest.raises(ArtifactError, match=r"age\.svg: a file of the artifact is missing"):
        Statistics(tmp_path / "s")
