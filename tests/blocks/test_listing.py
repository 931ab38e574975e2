"""Every name of the API listing, with the parameters, defaults and methods of `signatures.md`."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from emrys import blocks

DATA = Path(__file__).resolve().parents[1] / "data"

#: Arguments of Keras 2 alone, or of GPUs without cuDF's place here.
KERAS_2 = {"dynamic", "save_traces", "input_length", "max_queue_size", "workers", "use_multiprocessing"}
#: What every Keras layer takes; a block may take these through `**kwargs`.
OF_EVERY_LAYER = {"trainable", "name", "dtype", "kwargs", "args"}

_PRINTING = "served the released library's own printing"
_KERAS_2 = "served Keras 2"
_OUTPUTS = "outputs do this themselves"

#: Methods that the released library has and this one has not, and why. The migration page says so too.
WITHOUT: dict[str, dict[str, str]] = {
    "BaseModel": {"adjust_predictions_and_targets": _OUTPUTS, "train_compute_metrics": _KERAS_2},
    "ContinuousFeatures": {"repr_ignore": _PRINTING, "repr_extra": _PRINTING},
    "LazyAdam": {"get_weights": "an optimizer of Keras 3 has `variables`"},
    "ParallelBlock": {"parse_config": _KERAS_2},
    "ParallelPredictionBlock": {
        "add_task": "tasks are given to the constructor",
        "pop_labels": "targets travel beside features",
        "repr_ignore": _PRINTING,
    },
    "PredictionTask": {
        "pre_eval_topk": "use to_top_k_encoder()",
        "pre_call": _OUTPUTS,
        "pre_loss": _OUTPUTS,
        "build_task": _OUTPUTS,
        "child_name": _KERAS_2,
    },
    "SequentialBlock": {"compute_loss": "losses live in outputs"},
    "TabularBlock": {
        "repr_ignore": _PRINTING,
        "repr_extra": _PRINTING,
        "repr_add": _PRINTING,
        "calculate_batch_size_from_input_shapes": _KERAS_2,
        "super": _KERAS_2,
    },
}


@dataclass(frozen=True)
class Entry:
    """A name of the listing: its parameters with their defaults as text, None where there is none."""

    name: str
    parameters: dict[str, str | None]
    methods: dict[str, str]


def _entries() -> list[Entry]:
    found: list[Entry] = []
    for line in (DATA / "signatures.md").read_text(encoding="utf-8").splitlines():
        if match := re.match(r"- `(\w+)\((.*)\)`", line):
            found.append(Entry(match[1], _parameters(match[2]), {}))
        elif line.startswith("  - own methods:"):
            for name, rest in re.findall(r"`(\w+)(?:(\([^`]*\))| \(property\))`", line):
                found[-1].methods[name] = rest
    return found


def _parameters(text: str) -> dict[str, str | None]:
    text = re.sub(r"\*\*\w+", "", text)  # what is left has no name of its own
    parts = [part.strip() for part in re.split(r",\s*(?![^<(\[]*[>)\]])", text) if part.strip() not in ("", "*")]
    return {name.strip(" *"): default for name, _, default in ((*part.partition("="),) for part in parts)} | {}


def _named(entry: Entry) -> dict[str, str | None]:
    return {
        name: default or None
        for name, default in entry.parameters.items()
        if name not in KERAS_2 | OF_EVERY_LAYER and not name.startswith("experimental_")
    }


CASES = [pytest.param(entry, id=entry.name) for entry in _entries()]


def _parameters(thing):
    """Parameters of a function, or of a class's constructor, not of the `__new__` that Keras adds."""
    if inspect.isclass(thing) and inspect.isfunction(thing.__init__):
        parameters = dict(inspect.signature(thing.__init__).parameters)
        parameters.pop("self")
        return parameters
    return inspect.signature(thing).parameters


@pytest.mark.parametrize("entry", CASES)
def test_parameters(entry):
    thing = getattr(blocks, entry.name)
    ours = _parameters(thing)
    wanted = _named(entry)
    missing = [name for name in wanted if name not in ours]
    assert not missing, f"{entry.name} lacks {', '.join(missing)}"
    order = [name for name in ours if name in wanted]
    assert order == list(wanted), f"{entry.name} takes its parameters in another order"
    for name, default in wanted.items():
        assert _agrees(ours[name].default, default), f"{entry.name}: {name}={ours[name].default!r}, not {default}"


def _agrees(ours: Any, released: str | None) -> bool:
    if released is None:
        return ours is inspect.Parameter.empty or ours is None or ours == ()
    if "<" in released or ("." in released and not released[0].isdigit() and released[0] not in "'-"):
        return ours is not inspect.Parameter.empty  # an object, or a tag: the golden cases hold those
    try:
        value = ast.literal_eval(released)
    except (SyntaxError, ValueError):
        return ours is not inspect.Parameter.empty
    return ours == value or (value in ([], "auto") and ours is not inspect.Parameter.empty)


@pytest.mark.parametrize("entry", CASES)
def test_methods(entry):
    thing = getattr(blocks, entry.name)
    left_out = WITHOUT.get(entry.name, {})
    missing = [name for name in entry.methods if not _has(thing, name) and name not in left_out]
    assert not missing, f"{entry.name} lacks {', '.join(missing)}"
    there = [name for name in left_out if hasattr(thing, name)]
    assert not there, f"{entry.name} has {', '.join(there)} after all"


def _has(thing: Any, name: str) -> bool:
    """Whether a class has a member, or gives one to its objects when it makes them."""
    if hasattr(thing, name):
        return True
    own = [kind for kind in inspect.getmro(thing) if kind.__module__.startswith("emrys.blocks")]
    return any(re.search(rf"self\.{name}(: [^=]+)? = |def set_{name}\(", inspect.getsource(kind)) for kind in own)


@pytest.mark.parametrize("entry", CASES)
def test_documentation_and_types(entry):
    thing = getattr(blocks, entry.name)
    if not (inspect.isclass(thing) or inspect.isfunction(thing)):
        return
    assert inspect.getdoc(thing), f"{entry.name} is not documented"
    called = thing.__init__ if inspect.isclass(thing) else thing
    if not inspect.isfunction(called) or not called.__module__.startswith("emrys.blocks"):
        return  # a NamedTuple, or a constructor of Keras
    untyped = [
        name
        for name, parameter in inspect.signature(called).parameters.items()
        if name != "self" and parameter.annotation is inspect.Parameter.empty
    ]
    assert not untyped, f"{entry.name}: no type for {', '.join(untyped)}"
    text = inspect.getdoc(thing) or ""
    silent = [name for name in _named(entry) if not re.search(rf"\*{{0,2}}\b{name}\b", text)]
    assert not silent, f"{entry.name}: {', '.join(silent)} not documented"


def test_names_of_the_documentation():
    lines = (DATA / "api_names.txt").read_text(encoding="utf-8").splitlines()
    names = [line for line in lines if line and not line.startswith("#")]
    assert len(names) > 100
    assert [name for name in names if not hasattr(blocks, name)] == []
