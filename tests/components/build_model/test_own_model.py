from __future__ import annotations

import shutil
import sys
from pathlib import Path

import keras
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from emrys.blocks.errors import ArtifactError, ConfigError
from emrys.components.build_model.config import BuildModelConfig
from emrys.components.build_model.step import build_model
from emrys.components.contracts.data_schema import TargetKind
from tests.components.train.shop import TARGETS, data_schema, feature_schema, fit, write_log

MODULE = "tests.components.build_model.shop_models"


def build(function: str, tasks: tuple[str, ...] = ("click",), **options: object) -> keras.Model:
    config = BuildModelConfig(module=f"{MODULE}:{function}", options=options, tasks=dict.fromkeys(tasks, 1.0))
    return build_model(feature_schema(), config)


@pytest.mark.slow
def test_it_is_compiled_by_the_kind_of_its_target() -> None:
    assert build("build").get_compile_config()["loss"] == "binary_crossentropy"
    assert build("build", ("spend",), activation="linear").get_compile_config()["loss"] == "mse"
    several = build("build", ("click", "buy"), targets=["click", "buy"]).get_compile_config()["loss"]
    assert several == {"click": "binary_crossentropy", "buy": "binary_crossentropy"}


@pytest.mark.parametrize(
    ("function", "options", "facts"),
    [
        ("build_it", {}, ("shop_models has no function 'build_it'", "build, failing")),
        ("no_model", {}, (f"{MODULE}:no_model must return a model", "expected a keras.Model, got dict")),
        ("failing", {}, (f"{MODULE}:failing failed on build",)),
        ("build", {"colour": 1}, (f"{MODULE}:build failed on build", "ValueError", "colour")),
        ("infinite", {}, ("column 'click'", "expected finite numbers", "infinite")),
        ("wide", {}, ("column 'click'", "expected shape (B, 1)", "got shape (3, 2)")),
        ("build", {"activation": "linear", "targets": ["buy"]}, ("a prediction for each target", "click, got buy")),
        ("not_registered", {}, ("saving and loading", "register_keras_serializable")),
    ],
)
def test_a_model_that_cannot_be_used(function: str, options: dict[str, object], facts: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        build(function, **options)
    for fact in facts:
        assert fact in str(caught.value)


def test_a_module_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match=r"shop\.nowhere:build cannot be imported; .*PYTHONPATH"):
        build_model(feature_schema(), BuildModelConfig(module="shop.nowhere:build", tasks={"click": 1.0}))
    with pytest.raises(ConfigError, match=r"expected package\.module:function, got 'shop'"):
        build_model(feature_schema(), BuildModelConfig(module="shop", tasks={"click": 1.0}))


@pytest.mark.slow
def test_it_is_trained_and_comes_back_where_its_module_can_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "code").mkdir()
    shutil.copy(Path(__file__).with_name("shop_models.py"), tmp_path / "code" / "levels_of_a_shop.py")
    monkeypatch.syspath_prepend(str(tmp_path / "code"))
    write_log(tmp_path, data=data_schema(TARGETS[:2], weight=True))
    config = BuildModelConfig(
        module="levels_of_a_shop:build", options={"targets": ["click", "buy"]}, sample_space={"buy": "click"},
        learning_rate=0.05, ema_momentum=0.5,
    )  # fmt: skip
    artifact = fit(tmp_path, tmp_path, config, epochs=2, batch_size=64)
    assert artifact.targets == {"click": TargetKind.BINARY, "buy": TargetKind.BINARY}
    assert artifact.history[-1]["val_click_auc"] > 0.65
    model = artifact.load()
    valid = pq.read_table(tmp_path / "data" / "valid.parquet")
    batch = {name: tf.constant(valid[name].to_numpy()[:, None]) for name in ("visitor", "sku")}
    metric = keras.metrics.AUC()
    metric.update_state(valid["click"].to_numpy()[:, None], model(batch)["click"])
    assert float(metric.result()) == pytest.approx(
        artifact.history[artifact.metadata["best_epoch"]]["val_click_auc"], abs=1e-4
    )
    monkeypatch.delitem(sys.modules, "levels_of_a_shop")
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each != str(tmp_path / "code")])
    with pytest.raises(ArtifactError, match=r"the module levels_of_a_shop .* cannot be imported; .*PYTHONPATH"):
        artifact.load()
