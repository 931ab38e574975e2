import errno
import re
import shutil
from dataclasses import replace

import pytest

from emrys.blocks.errors import EmrysError
from emrys.components.build_model import step as build_model
from emrys.components.contracts.model import ModelArtifact
from emrys.components.train.epochs import Epochs
from emrys.components.train.step import run
from tests.components.train.ratings import FAST, SMALL, state_of, write_data

pytestmark = pytest.mark.slow


def train(inputs, output, config=FAST, data=None, model=None):
    return run(data or inputs / "data", inputs / "schema", model or inputs / "model", config, output)


@pytest.fixture
def leftover(killed, tmp_path):
    """A copy of what the killed process left, for the output `tmp_path / "out"`."""
    shutil.copytree(killed, tmp_path, dirs_exist_ok=True)
    return tmp_path / ".out.checkpoints"


@pytest.fixture
def cut_off(monkeypatch):
    """Makes training stop as by Ctrl-C in the epoch after so many, None for any; gives a function that ends this."""

    def start(epochs):
        def interrupt(self, batch, logs=None):
            if epochs is None or (len(self.history) == epochs and batch == 3):
                raise KeyboardInterrupt

        monkeypatch.setattr(Epochs, "on_train_batch_end", interrupt)
        return monkeypatch.undo

    return start


def went_on_after(capfd):
    """The epoch that the step says it goes on after, "" if it says nothing of that."""
    found = re.findall(r'"resuming after epoch (\d+)"', capfd.readouterr().err)
    return " ".join(found)


def assert_same(found, expected):
    assert found.history == expected.history
    assert state_of(found) == state_of(expected)
    assert {**found.metadata, "config": None} == {**expected.metadata, "config": None}


def test_a_killed_run_leaves_the_last_epoch_and_no_model(killed):
    assert [path.name for path in killed.iterdir()] == [".out.checkpoints"]
    assert [path.name for path in (killed / ".out.checkpoints").iterdir()] == ["epoch-00002"]


def test_a_killed_run_goes_on_also_with_a_model_that_was_built_again(trained, inputs, leftover, tmp_path, capfd):
    model = build_model.run(inputs / "schema", SMALL, tmp_path / "model")
    assert model.fingerprint != ModelArtifact(inputs / "model").fingerprint  # Keras writes the time into the file
    result = train(inputs, tmp_path / "out", model=model.path)
    assert went_on_after(capfd) == "2"
    assert_same(result, trained)
    assert not leftover.exists()


def test_a_run_that_was_cut_off_after_its_best_epoch_goes_on(trained, inputs, tmp_path, cut_off, capfd):
    done = trained.metadata["best_epoch"] + 2  # one epoch without a better one has passed
    go = cut_off(done)
    with pytest.raises(KeyboardInterrupt):
        train(inputs, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    go()
    result = train(inputs, tmp_path / "out")
    assert went_on_after(capfd) == str(done)
    assert_same(result, trained)


def test_a_run_that_could_not_write_its_model_has_nothing_left_to_train(trained, inputs, tmp_path, cut_off):
    with pytest.MonkeyPatch.context() as patch:

        def full(path, metadata):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

        patch.setattr(ModelArtifact, "create", full)
        with pytest.raises(EmrysError, match=r"^train: .*out: the disk is full\. Free some space and run again\.$"):
            train(inputs, tmp_path / "out")
    cut_off(None)  # any training would end in an error
    assert_same(train(inputs, tmp_path / "out"), trained)


def test_a_state_that_is_not_whole_is_passed_over(trained, inputs, leftover, tmp_path, capfd):
    whole = leftover / "epoch-00002"
    for name in ("epoch-00009", ".epoch-00003.abc.partial"):
        (leftover / name).mkdir()
        shutil.copy(whole / "model.keras", leftover / name)
    shutil.copytree(whole, leftover / "epoch-00008")
    text = (whole / "state.json").read_text(encoding="utf-8")
    (leftover / "epoch-00008" / "state.json").write_text(text[: len(text) // 2], encoding="utf-8")
    result = train(inputs, tmp_path / "out")
    assert went_on_after(capfd) == "2"
    assert_same(result, trained)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_for_checkpoints_that_holds_other_things(trained, inputs, leftover, tmp_path, capfd):
    folder = leftover.rename(tmp_path / "kept")
    (folder / "notes.txt").write_text("not a checkpoint", encoding="utf-8")
    result = train(inputs, tmp_path / "out", replace(FAST, checkpoint_dir=str(folder)))
    assert went_on_after(capfd) == "2"
    assert_same(result, trained)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "out"]
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_a_checkpoint_of_another_configuration_is_not_resumed(trained, inputs, leftover, tmp_path, capfd):
    result = train(inputs, tmp_path / "out", replace(FAST, epochs=1))
    assert went_on_after(capfd) == ""
    assert result.history == trained.history[:1]  # two epochs had been done there
    assert not leftover.exists()


@pytest.mark.parametrize("other", ["data", "model"])
def test_a_checkpoint_of_other_inputs_is_not_resumed(inputs, leftover, tmp_path, cut_off, capfd, other):
    if other == "data":
        write_data(tmp_path / "data", seed=2)
    else:
        build_model.run(inputs / "schema", replace(SMALL, seed=43), tmp_path / "model")
    cut_off(0)  # in the first epoch, which would not be run again
    with pytest.raises(KeyboardInterrupt):
        train(inputs, tmp_path / "out", **{other: tmp_path / other})
    assert went_on_after(capfd) == ""
