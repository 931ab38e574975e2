import pytest
from merlin.schema import Schema

import emrys.blocks as mm
from emrys.blocks.errors import ConfigError, EmrysError, SchemaError
from tests import golden

COLUMNS = ["cat1", "cat2", "cat3"]


def _schema(names):
    return Schema([mm.create_categorical_column(name, 20) for name in names])


def _crosses(case):
    args = dict(case.args)
    return mm.HashedCrossAll(_schema(args.pop("schema_column_order", COLUMNS)), **args)


@pytest.mark.parametrize(
    "case", golden.cases("transforms", "HashedCrossAll", where=lambda case: "output" in case.outputs)
)
def test_golden(case):
    crosses = _crosses(case)
    assert isinstance(crosses, mm.ParallelBlock)
    assert list(crosses.parallel_dict) == case.outputs["output_keys"]
    assert len(crosses.parallel_values) == case.outputs["n_branches"]
    golden.assert_close(crosses(golden.tensors(case.inputs)), case.outputs["output"])


@pytest.mark.parametrize(
    "case", golden.cases("transforms", "HashedCrossAll", where=lambda case: "num_bins_by_output" in case.outputs)
)
def test_golden_number_of_bins(case):
    result = {name: cross.num_bins for name, cross in _crosses(case).parallel_dict.items()}
    assert result == case.outputs["num_bins_by_output"]


@pytest.mark.parametrize("case", golden.cases("transforms", "HashedCrossAll", where=lambda case: case.raises))
def test_golden_refused(case):
    with pytest.raises(EmrysError):
        _crosses(case)


def test_columns_are_hashed_in_schema_order():
    crosses = mm.HashedCrossAll(_schema(["cat2", "cat1", "cat3"]), num_bins=10, max_level=3)
    orders = [cross.schema.column_names for cross in crosses.parallel_values]
    assert orders == [["cat2", "cat1"], ["cat2", "cat3"], ["cat1", "cat3"], ["cat2", "cat1", "cat3"]]


def test_errors():
    with pytest.raises(ConfigError, match="HashedCrossAll: max_level; expected 2 or 3, got 4"):
        mm.HashedCrossAll(_schema(COLUMNS), num_bins=10, max_level=4)
    with pytest.raises(ConfigError, match="column 'cat9': HashedCrossAll: ignore_combinations; expected columns of ca"):
        mm.HashedCrossAll(_schema(COLUMNS), num_bins=10, ignore_combinations=[["cat1", "cat9"]])
    with pytest.raises(SchemaError, match="has no columns to cross; expected two columns or more, got cat1"):
        mm.HashedCrossAll(_schema(["cat1"]), num_bins=10)
