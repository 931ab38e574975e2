"""A mistake in each field of a recipe is named, alone and ten at once."""

from __future__ import annotations

import copy
import functools
import random
from typing import Any

import pyarrow as pa
import pytest

from emrys.components.recipe import recipe as sections
from emrys.components.recipe.check import Checked, check_draft
from emrys.components.recipe.reading import draft_of
from tests.components.recipe import logs

#: A recipe in which every field that can stand beside the others is said.
GOOD: dict[str, Any] = {
    "version": 1,
    "data": {"path": "events", "reader": "csv", "delimiter": ",", "header": True, "rows": 100, "cache_dir": "x"},
    "tables": {"items": {"path": "i", "key": "sku", "log_key": "sku", "time": "t", "reader": "parquet"}},
    "columns": {
        "user_id": "visitor",
        "item_id": "sku",
        "session_id": "session",
        "time": {"column": "ts", "unit": "ms"},
        "weight": "price2",
        "events": {"column": "event_type", "targets": {"click": ["view", "buy"], "buy": "buy"}},
        "targets": {"cheap": {"kind": "binary", "from": "price3", "above": 20}, "level": "classes"},
        "user": ["member_since"],
        "item": ["category", "price"],
        "context": ["hint"],
        "categorical": ["category", "member_since"],
        "continuous": ["price"],
        "ignore": ["junk"],
        "nulls": "drop",
        "feedback": "explicit",
    },
    "split": {"by": "time", "valid": 0.1, "test": 0.1, "min_events": 2, "label_window": "1h"},
    "features": {
        "visitor": ["categorify"],
        "category": [{"categorify": {"min_count": 2}}],
        "price": [{"fill": 0}, {"clip": {"min": 0}}, "log", "normalize"],
        "ts": ["hour", "weekday"],
        "recent": {"history_of": "sku", "length": 20, "positive": True},
        "gap": {"difference_of": "price"},
    },
    "module": "shop.features",
    "model": {
        "name": "mmoe",
        "num_experts": 4,
        "expert_layers": [64],
        "tasks": {"click": 1.0, "buy": 2.0},
        "sample_space": {"buy": "click"},
    },
    "validate": {"columns": {"price": {"min": 0}}, "severity": {"drift": "warning"}},
    "train": {
        "epochs": 3, "batch_size": 128, "learning_rate": 0.01, "optimizer": "adam", "ema_momentum": 0.9, "patience": 2,
        "monitor": "val_loss", "tracking": "http://mlflow:5000",
    },
    "evaluate": {
        "metrics": ["auc", "log_loss"], "baselines": ["constant"], "bootstrap_by": "user", "exclude_seen": True,
        "slices": ["category"], "show_ids": False,
    },
    "gate": {"click/auc": 0.6, "better_than": ["constant"]},
    "serve": {"name": "shop", "top_k": 10},
}  # fmt: skip

#: A wrong value for each field, and the key that the fault must have if it is not the field's own.
MISTAKES: dict[str, tuple[Any, str]] = {
    "version": (7, ""),
    "data.path": (5, ""),
    "data.reader": ("xml", ""),
    "data.delimiter": (";;", ""),
    "data.header": ("yes", ""),
    "data.rows": (0, ""),
    "data.cache_dir": (1, ""),
    "tables.items.path": (3, ""),
    "tables.items.key": (None, ""),
    "tables.items.log_key": (2, ""),
    "tables.items.time": (["t"], ""),
    "tables.items.reader": ("movielens", ""),
    "columns.user_id": ("visitr", ""),
    "columns.item_id": ("price", ""),
    "columns.session_id": ("sesion", ""),
    "columns.time.column": ("tss", ""),
    "columns.time.unit": ("s", ""),
    "columns.weight": ("category", ""),
    "columns.events.column": ("event_typ", ""),
    "columns.events.targets.click": ("veiw", ""),
    "columns.events.targets.buy": (1.5, ""),
    "columns.targets.cheap.kind": ("binry", ""),
    "columns.targets.cheap.from": ("prize3", ""),
    "columns.targets.cheap.above": ("high", ""),
    "columns.targets.level": ("klasses", ""),
    "columns.user": (["member_sinc"], ""),
    "columns.item": (["category", "event_type", "price"], ""),
    "columns.context": ("hint", ""),
    "columns.categorical": (["price"], ""),
    "columns.continuous": (["category"], ""),
    "columns.ignore": (["junkk"], ""),
    "columns.order": (["boughtt"], ""),
    "columns.nulls": ("keep", ""),
    "columns.feedback": ("implicit", ""),
    "split.by": ("tim", ""),
    "split.valid": (1.5, ""),
    "split.test": (-0.1, ""),
    "split.min_events": (0, ""),
    "split.label_window": ("one week", ""),
    "features.visitor": (["categorfy"], "features.visitor.0"),
    "features.category": ([{"categorify": {"min_cont": 2}}], "features.category.0.categorify.min_cont"),
    "features.price": ([{"clip": {"min": 5, "max": 1}}], "features.price.0.clip"),
    "features.ts": ([{"hour": 3}], "features.ts.0.hour"),
    "features.recent.history_of": ("skuu", ""),
    "features.recent.length": (0, ""),
    "features.recent.positive": ("all", ""),
    "features.gap.difference_of": ("category", ""),
    "module": ("shop-features", ""),
    "model.name": ("mmo", ""),
    "model.num_experts": ("four", ""),
    "model.expert_layers": ([], ""),
    "model.tasks.click": (-1, ""),
    "model.sample_space.buy": ("klick", ""),
    "validate.columns.price": ({"min": "low"}, "validate.columns.price.min"),
    "validate.severity.drift": ("fatal", ""),
    "train.epochs": (0, ""),
    "train.batch_size": (True, ""),
    "train.learning_rate": ("fast", ""),
    "train.optimizer": ("adamm", ""),
    "train.ema_momentum": (1, ""),
    "train.patience": (0.5, ""),
    "train.monitor": ("loss", ""),
    "train.tracking": ("mlflow", ""),
    "evaluate.metrics": (["auk"], ""),
    "evaluate.baselines": (["constnat"], ""),
    "evaluate.bootstrap_by": ("users", ""),
    "evaluate.exclude_seen": ("no", ""),
    "evaluate.slices": (["categry"], ""),
    "evaluate.show_ids": (1, ""),
    "gate": ({"click/auk": 0.6}, "gate.click/auk"),
    "serve.name": ("my shop", ""),
    "serve.top_k": (0, ""),
}
#: Fields that cannot stand beside those of `GOOD`: the value of the whole section, and the key of the fault.
OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "columns.targets.values": (
        {"columns": {"targets": {"b": {"from": "event_type", "values": ["byu"]}}}},
        "columns.targets.b",
    ),
    "split.column": ({"split": {"by": "column", "column": "categry"}}, "split.column"),
    "split.negatives.per_positive": ({"split": {"negatives": {"per_positive": 0}}}, "split.negatives.per_positive"),
    "model.module": ({"model": {"module": "no function"}}, "model.module"),
}


def log() -> pa.Table:
    shop = logs.shop()
    rows = shop.num_rows
    extra = {
        "price2": shop["price"],
        "price3": shop["price"],
        "level": pa.array([row % 3 for row in range(rows)]),
        "hint": pa.array([f"h{row % 5}" for row in range(rows)]),
        "junk": pa.array(["x"] * rows),
    }
    for name, values in extra.items():
        shop = shop.append_column(name, values)
    return shop


@functools.cache
def head() -> pa.Table:
    return log()


def check(content: dict[str, Any]) -> Checked:
    return check_draft(draft_of(content), head())


def with_mistakes(keys: list[str]) -> dict[str, Any]:
    content = copy.deepcopy(GOOD)
    for key in keys:
        *path, last = key.split(".")
        place = content
        for part in path:
            place = place[part]
        if MISTAKES[key][0] is None:
            del place[last]
        else:
            place[last] = MISTAKES[key][0]
    return content


def is_named(key: str, checked: Checked) -> bool:
    expected = MISTAKES[key][1] or key
    return expected in [fault.key for fault in checked.faults]


def test_the_recipe_without_a_mistake_has_no_fault():
    assert check(GOOD).faults == ()


@pytest.mark.parametrize("key", MISTAKES)
def test_a_mistake_in_a_field_is_named(key):
    checked = check(with_mistakes([key]))
    assert is_named(key, checked), [str(fault) for fault in checked.faults]
    assert len(checked.faults) <= 2, [str(fault) for fault in checked.faults]


@pytest.mark.parametrize("field", OTHERS)
def test_a_mistake_in_a_field_that_excludes_others_is_named(field):
    section, key = OTHERS[field]
    content = {"data": {"path": "x"}, "model": {"name": "dlrm"}, **section}
    assert key in [fault.key for fault in check(content).faults]


def test_every_field_has_a_mistake():
    """A field that is new needs a mistake here."""
    planted = [*MISTAKES, *OTHERS]
    for prefix, section in (
        ("data", sections.DataSource),
        ("tables.items", sections.SideTable),
        ("columns", sections.Columns),
        ("columns.time", sections.TimeColumn),
        ("columns.events", sections.EventTargets),
        ("split", sections.Split),
        ("features.recent", sections.History),
        ("features.gap", sections.Difference),
        ("model", sections.Model),
        ("validate", sections.Validation),
        ("train", sections.Training),
        ("evaluate", sections.Evaluation),
        ("serve", sections.Serving),
        ("", sections.Recipe),
    ):
        for name, field in section.model_fields.items():
            key = ".".join(filter(None, [prefix, field.alias or name]))
            assert any(each == key or each.startswith(f"{key}.") for each in planted), key
    for name in ("kind", "from", "above"):
        assert f"columns.targets.cheap.{name}" in planted


@pytest.mark.parametrize("seed", range(20))
def test_ten_mistakes_at_once_are_all_named(seed):
    keys = random.Random(seed).sample(sorted(MISTAKES), 10)
    checked = check(with_mistakes(keys))
    missed = [key for key in keys if not is_named(key, checked)]
    assert missed == [], "\n".join(str(fault) for fault in checked.faults)
    for fault in checked.faults:
        assert "\n" not in str(fault)
