from types import SimpleNamespace

from merlin.schema import Tags

from emrys.components.contracts.column_roles import tags_of


def test_tags_are_texts_however_they_are_written():
    column = SimpleNamespace(tags=[Tags.USER_ID, "a tag of one's own"])
    assert tags_of(column) == {"user_id", "a tag of one's own"}
