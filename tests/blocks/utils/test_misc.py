from __future__ import annotations

import sys

import numpy as np
import pytest

from emrys.blocks.utils.misc import filter_kwargs, get_object_size, safe_json

KWARGS = {"z": 0, "b": 2, "a": 1, "only": 3}


def _plain(a, b=1): ...


def _any(a, **kwargs): ...


def _keyword_only(a, *, only=1): ...


class _Thing:
    def __init__(self, a, **kwargs): ...

    def __call__(self, b): ...


class _Child(_Thing): ...


@pytest.mark.parametrize(
    ("thing", "taken"),
    [
        (_plain, ["b", "a"]),
        (_any, ["a"]),
        (_keyword_only, ["a", "only"]),
        (_Thing, ["a"]),
        (_Child, ["a"]),
        (_Thing(0), ["b"]),
        (_Thing(0).__call__, ["b"]),
        (lambda z: z, ["z"]),
    ],
)
def test_filter_kwargs(thing, taken):
    result = filter_kwargs(KWARGS, thing)
    assert list(result.items()) == [(name, KWARGS[name]) for name in taken]


def test_filter_kwargs_of_what_takes_any():
    assert filter_kwargs(KWARGS, _any, cascade_kwargs_if_possible=True) == KWARGS
    assert filter_kwargs(KWARGS, _Thing, cascade_kwargs_if_possible=True) == KWARGS
    assert filter_kwargs(KWARGS, _plain, cascade_kwargs_if_possible=True) == {"a": 1, "b": 2}
    assert filter_kwargs({"self": 1, "a": 2}, _Thing) == {"a": 2}


def test_filter_kwargs_with_other_arguments():
    import inspect

    result = filter_kwargs(KWARGS, _plain, argspec_fn=lambda _: inspect.getfullargspec(_keyword_only))
    assert result == {"a": 1, "only": 3}


@pytest.mark.parametrize(
    "data", [None, True, 1, 2.5, "s", [1, "a"], (1, 2), {"a": [{"b": None}]}, {}, float("nan"), float("inf")]
)
def test_safe_json(data):
    assert safe_json(data) is True


@pytest.mark.parametrize(
    "data", [object(), {1, 2}, b"x", {2: 3}, {("a",): 1}, {"a": [object()]}, [{"a": np.int64(1)}], np.arange(2)]
)
def test_safe_json_of_what_json_cannot_hold(data):
    assert safe_json(data) is False


def test_size_of_plain_objects():
    for value in (1, "abc", None, b"x", np.arange(1000)):
        assert get_object_size(value) == sys.getsizeof(value)


def test_size_of_what_holds_others():
    one, two = 1000, 2000
    size = sys.getsizeof
    values = [one, two]
    assert get_object_size(values) == size(values) + size(one) + size(two)
    twice = [one, one]
    assert get_object_size(twice) == size(twice) + size(one)
    nested = {"key": (one, {two})}
    expected = size(nested) + size("key") + size(nested["key"]) + size(one) + size({two}) + size(two)
    assert get_object_size(nested) == expected


def test_size_of_an_object_with_attributes_and_slots():
    class Slots:
        __slots__ = ("array", "unset")

    class Holder:
        pass

    slots, holder = Slots(), Holder()
    slots.array = np.zeros(1000)
    holder.slots, holder.itself = slots, holder
    names = sys.getsizeof("slots") + sys.getsizeof("itself")
    expected = sum(map(sys.getsizeof, (holder, holder.__dict__, slots, slots.array))) + names
    assert get_object_size(holder) == expected


def test_size_leaves_out_what_was_seen():
    values = [1000]
    seen = {id(values[0])}
    assert get_object_size(values, seen) == sys.getsizeof(values)
    assert id(values) in seen


def test_size_of_what_is_nested_deep():
    values = []
    for _ in range(20_000):
        values = [values]
    assert get_object_size(values) == 20_000 * sys.getsizeof([[]]) + sys.getsizeof([])
