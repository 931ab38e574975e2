import pytest

from emrys.blocks.errors import ConfigError
from emrys.components.model_registry.production import production_version
from emrys.components.model_registry.registry import Registry


@pytest.fixture
def promoted(tmp_path):
    """A registry with two versions, of which the first is in production."""
    registry = Registry(tmp_path / "registry", "films")
    names = []
    for content in ("one", "two"):
        parts = {part: tmp_path / content / part for part in ("workflow", "schema", "model", "statistics")}
        for part, folder in parts.items():
            folder.mkdir(parents=True)
            (folder / "file").write_text(f"{content} {part}", encoding="utf-8")
        names.append(registry.add(parts).name)
    registry.promote(names[0])
    return str(tmp_path / "registry"), names[0]


def test_the_production_version_stays_while_the_block_runs(promoted, capfd):
    root, name = promoted
    with production_version(root, "films", "evaluate") as live:
        assert live.version == name
        found = [(folder / "file").read_text(encoding="utf-8") for folder in (live.workflow, live.schema, live.model)]
        assert found == ["one workflow", "one schema", "one model"]
        assert not (live.workflow.parent / "statistics").exists()  # nothing else is fetched
    assert not live.workflow.exists()
    assert f"comparing with {name}, which is in production" in capfd.readouterr().err


def test_nothing_is_in_production(tmp_path, capfd):
    with production_version(str(tmp_path / "registry"), "films", "evaluate") as live:
        assert live is None
    assert f"nothing is in production in {Registry(tmp_path / 'registry', 'films').store.uri}" in capfd.readouterr().err


def test_no_registry_is_given(capfd):
    with production_version("", "films", "evaluate") as live:
        assert live is None
    assert capfd.readouterr().err == ""


def test_a_name_that_cannot_be(tmp_path):
    with pytest.raises(ConfigError, match="name of the model"), production_version(str(tmp_path), "a/b", "evaluate"):
        pass
