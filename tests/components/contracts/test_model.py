import json
import re

import keras
import numpy as np
import pytest

import emrys.blocks as mm
from emrys.blocks.errors import ArtifactError
from emrys.blocks.io import write_json
from emrys.components.contracts.model import ModelArtifact

HISTORY = [{"epoch": 0, "loss": 0.7, "val_loss": 0.6}]


def write(path, history=None):
    model = mm.Model(mm.MLPBlock([2]), mm.BinaryOutput("like"))
    model.compile("adam")
    model.build((None, 3))
    model.optimizer.build(model.trainable_variables)
    with ModelArtifact.create(path, {"trained": history is not None}) as work:
        model.save(work / "model.keras")
        (work / "summary.txt").write_text("Modèle: <tiny>\n", encoding="utf-8")
        if history is not None:
            write_json(work / "history.json", history)
    return model


def test_round_trip(tmp_path):
    model = write(tmp_path / "model", HISTORY)
    artifact = ModelArtifact(tmp_path / "model")
    assert artifact.summary == "Modèle: <tiny>\n"
    assert artifact.history == HISTORY
    assert artifact.keras_path == tmp_path / "model" / "model.keras"
    batch = np.array([[1.0, -2.0, 0.5]], "float32")
    loaded = artifact.load()
    np.testing.assert_array_equal(loaded(batch), model(batch))
    assert isinstance(loaded.optimizer, keras.optimizers.Adam)


def test_an_untrained_model_has_no_history(tmp_path):
    write(tmp_path / "model")
    assert ModelArtifact(tmp_path / "model").history == []


def test_a_step_that_forgot_the_summary(tmp_path):
    with (
        pytest.raises(ArtifactError, match=r"model: the step wrote no summary\.txt$"),
        ModelArtifact.create(tmp_path / "model", {}) as work,
    ):
        (work / "model.keras").write_bytes(b"")
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_was_cut_short(tmp_path):
    write(tmp_path / "model")
    file = tmp_path / "model" / "model.keras"
    size = file.stat().st_size
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(ArtifactError) as caught:
        ModelArtifact(tmp_path / "model")
    assert str(caught.value) == (
        f"{file}: a file of the artifact is damaged; expected {size} bytes, got {size - 10}."
        " Run the step that wrote it again."
    )


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda content: bytes(len(content)), "File not found: .*"),  # Keras' words for what is no zip file
        (lambda content: content.replace(b'"class_name"', b'"klass_name"'), "Bad CRC-32 for file 'config.json'"),
        (
            lambda content: content.replace(b"\x89HDF", b"\x00HDF"),
            r"(Bad CRC-32 for file 'model.weights.h5'|.*file signature not found\)?.*)",
        ),
    ],
)
def test_a_model_with_other_bytes(tmp_path, damage, reason):
    write(tmp_path / "model")
    file = tmp_path / "model" / "model.keras"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ArtifactError) as caught:
        ModelArtifact(tmp_path / "model").load()
    start = re.escape(f"{file}: Keras cannot load the model; got ")
    assert re.fullmatch(rf"{start}{reason}\. Was it written by another version of Emrys\?", str(caught.value))


def test_a_model_of_plain_keras_comes_back(tmp_path):
    plain = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    with ModelArtifact.create(tmp_path / "plain", {}) as work:
        plain.save(work / "model.keras")
        (work / "summary.txt").write_text("", encoding="utf-8")
    rows = np.array([[1.0, -2.0, 3.0]], "float32")
    np.testing.assert_array_equal(ModelArtifact(tmp_path / "plain").load()(rows), plain(rows))


def test_a_folder_of_another_kind(tmp_path):
    write(tmp_path / "model")
    manifest = tmp_path / "model" / "manifest.json"
    content = json.loads(manifest.read_text(encoding="utf-8"))
    write_json(manifest, {**content, "kind": "schema"})
    with pytest.raises(ArtifactError, match="of another kind; expected 'model' version 1, got 'schema' version 1"):
        ModelArtifact(tmp_path / "model")


@pytest.mark.parametrize("history", [{"epoch": 0}, [{"loss": 0.7}], ["loss"]])
def test_a_history_that_is_none(tmp_path, history):
    with ModelArtifact.create(tmp_path / "model", {}) as work:
        (work / "model.keras").touch()
        (work / "summary.txt").touch()
        write_json(work / "history.json", history)
    with pytest.raises(ArtifactError) as caught:
        _ = ModelArtifact(tmp_path / "model").history
    assert str(caught.value) == (
        f"{tmp_path / 'model' / 'history.json'}: the training history is damaged; expected one dict an epoch"
    )
