from types import SimpleNamespace

import pytest

from emrys.blocks.errors import SchemaError
from emrys.components.contracts.column_roles import ColumnRoles


def schema(**tags):
    return [SimpleNamespace(name=name, tags=found.split()) for name, found in tags.items()]


COLUMNS = {"u": "user id categorical", "i": "item item_id", "like": "binary_classification target", "age": "user"}


def test_roles_come_from_tags():
    assert ColumnRoles.of(schema(**COLUMNS)) == ColumnRoles(user="u", item="i", target="like")


def test_one_target_of_two_is_chosen_by_name():
    both = schema(**COLUMNS, click="binary_classification target")
    assert ColumnRoles.of(both, "click").target == "click"
    with pytest.raises(
        SchemaError, match=r"must have exactly one binary target; .*, got like, click. Tag it, or name the target"
    ):
        ColumnRoles.of(both)


def test_a_target_that_is_not_there():
    with pytest.raises(SchemaError) as caught:
        ColumnRoles.of(schema(**COLUMNS), "rating_binary")
    assert str(caught.value) == (
        "column 'rating_binary': the target is not in the schema; expected a column with the tag"
        " binary_classification, got like"
    )
    with pytest.raises(
        SchemaError, match=r"the schema must have exactly one binary target; .*, got none. Tag it in the schema step"
    ):
        ColumnRoles.of(schema(u="user_id", i="item_id"))


@pytest.mark.parametrize("kind", ["user", "item"])
def test_an_id_that_is_not_there(kind):
    columns = {name: tags for name, tags in COLUMNS.items() if name != kind[0]}
    with pytest.raises(SchemaError) as caught:
        ColumnRoles.of(schema(**columns))
    assert str(caught.value) == (
        f"the schema must have exactly one {kind} id; expected one column with the tag {kind}_id, got none"
    )
