from __future__ import annotations

import pytest

from emrys.blocks.errors import ConfigError
from emrys.blocks.utils.registry import (
    NamingError,
    Registry,
    RegistryMixin,
    camelcase_to_snakecase,
    default_name,
    default_object_name,
    display_list_by_prefix,
    snakecase_to_camelcase,
)
from tests import golden


class MyHTTPThing:
    pass


def some_function():
    return "result"


@pytest.mark.parametrize("case", golden.cases("conventions", "camelcase_to_snakecase"))
def test_golden_camelcase_to_snakecase(case):
    assert [camelcase_to_snakecase(name) for name in case.inputs["names"]] == case.outputs["result"]


@pytest.mark.parametrize(
    "case", golden.cases("conventions", "snakecase_to_camelcase", where=lambda case: not case.raises)
)
def test_golden_snakecase_to_camelcase(case):
    assert [snakecase_to_camelcase(name) for name in case.inputs["names"]] == case.outputs["result"]


@pytest.mark.parametrize("case", golden.cases("conventions", "snakecase_to_camelcase", where=lambda case: case.raises))
def test_golden_snakecase_that_is_none(case):
    assert case.raises == "IndexError"
    with pytest.raises(IndexError) as error:
        snakecase_to_camelcase(case.args["name"])
    assert str(error.value) == (
        "the name cannot be converted to camel case; expected parts with one underscore between, got a__b"
    )
    with pytest.raises(IndexError):
        snakecase_to_camelcase("")


@pytest.mark.parametrize("case", golden.cases("conventions", "default_name"))
def test_golden_default_name(case):
    assert case.outputs == {
        "class MyHTTPThing": default_name(MyHTTPThing),
        "function some_function": default_name(some_function),
        "default_object_name(MyHTTPThing())": default_object_name(MyHTTPThing()),
    }


def test_default_name_of_what_has_none():
    with pytest.raises(
        ConfigError, match=r"^the object has no name to register; expected a class or a function, got 5"
    ):
        default_name(5)


@pytest.mark.parametrize("case", golden.cases("conventions", "display_list_by_prefix"))
def test_golden_display_list_by_prefix(case):
    for spaces in case.inputs["starting_spaces"]:
        assert display_list_by_prefix(case.inputs["names_list"], spaces) == case.outputs[str(spaces)]
    assert display_list_by_prefix([]) == case.outputs["empty"]


def test_prefixes_are_not_torn_apart():
    # Sorted as text, "a-b" stands between "a" and "a_c", which have one prefix.
    assert display_list_by_prefix(["a", "a-b", "a_c"]) == "a:\n  * a\n  * a_c\na-b:\n  * a-b"


def _filled(name):
    registry = Registry(name)
    registry.register("key1")(some_function)
    registry.register(MyHTTPThing)
    registry.register_with_multiple_names("n1", "n2")(some_function)
    return registry


def _registry_cases(text):
    return golden.cases("conventions", "Registry", where=lambda case: text in case.call)


@pytest.mark.parametrize("case", _registry_cases("register_with_multiple_names"))
def test_golden_registry(case):
    registry = _filled(**{"name": case.args["registry_name"]})
    thing = object()
    assert case.outputs == {
        "keys": list(registry.keys()),
        "len": len(registry),
        "name": registry.name,
        "get_missing": registry.get("missing"),
        "get_missing_default": registry.get("missing", 5),
        "parse_string_is_registered_value": registry.parse("key1") is some_function,
        "parse_object_returned_unchanged": registry.parse(thing) is thing,
        "contains_n2": "n2" in registry,
    }


@pytest.mark.parametrize("case", _registry_cases("twice"))
def test_golden_key_twice(case):
    assert case.raises == "KeyError"
    registry = _filled("things")
    with pytest.raises(KeyError) as error:
        registry.register("key1")(MyHTTPThing)
    assert str(error.value).startswith("the things 'key1' is registered already; got <class ")
    assert registry["key1"] is some_function


@pytest.mark.parametrize("case", _registry_cases("registry['missing']"))
def test_golden_missing_key(case):
    assert case.raises == "KeyError"
    registry = _filled("things")
    with pytest.raises(KeyError) as error:
        registry["missing"]
    assert str(error.value) == "unknown things 'missing'; expected one of 'key1', 'my_http_thing', 'n1', 'n2'"
    with pytest.raises(NamingError) as error:
        registry.parse("my_http_things")
    assert str(error.value).endswith("'n2'. Did you mean 'my_http_thing'?")
    assert isinstance(error.value, ConfigError)
    with pytest.raises(KeyError, match=r"^unknown empty 'missing'$"):
        Registry("empty")["missing"]


@pytest.mark.parametrize("case", _registry_cases("not callable"))
def test_golden_value_that_is_not_callable(case):
    assert case.raises == "ValueError"
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the text is compared below
        Registry("things")["five"] = 5
    assert str(error.value) == "the things 'five' must be a class or a function; got 5"


@pytest.mark.parametrize("case", golden.cases("conventions", "Registry.class_registry"))
def test_golden_class_registry(case):
    registry = Registry.class_registry(case.args["registry_name"])
    assert registry.register(MyHTTPThing) is MyHTTPThing
    name = case.outputs["keys"][0]
    assert list(registry.keys()) == case.outputs["keys"]
    assert isinstance(registry[name], MyHTTPThing) == case.outputs["lookup_gives_instance"]
    assert (registry[name] is not registry[name]) == case.outputs["lookup_gives_new_instance_each_time"]
    assert isinstance(registry.get(name), MyHTTPThing)
    assert isinstance(registry.parse(name), MyHTTPThing)
    assert [type(value) for value in registry.values()] == [MyHTTPThing]
    assert [(key, type(value)) for key, value in registry.items()] == [(name, MyHTTPThing)]


def test_every_way_of_registering():
    registry = Registry("things")

    @registry.register
    def plain(): ...

    @registry.register()
    def called(): ...

    @registry.register("own-name")
    def function(): ...

    @registry.register_with_multiple_names("one", None)
    def several(): ...

    registry["set"] = plain
    assert dict(registry.items()) == {
        "plain": plain,
        "called": called,
        "own-name": function,
        "one": several,
        "several": several,
        "set": plain,
    }
    assert list(registry) == list(registry.keys())
    assert repr(registry) == "Registry('things', 6 names)"


def test_hooks():
    calls = []

    def refuse(key, value):
        calls.append(("validator", key, value))
        if key == "bad":
            raise ConfigError("refused")

    registry = Registry(
        "things",
        default_key_fn=lambda value: f"a_{value.__name__}",
        validator=refuse,
        on_set=lambda key, value: calls.append(("on_set", key, value)),
        value_transformer=lambda key, value: (key, value()),
    )
    registry.register(some_function)
    with pytest.raises(ConfigError, match=r"^refused$"):
        registry.register("bad")(some_function)
    assert calls == [
        ("validator", "a_some_function", some_function),
        ("on_set", "a_some_function", some_function),
        ("validator", "bad", some_function),
    ]
    assert registry.default_key(some_function) == "a_some_function"
    assert list(registry.items()) == [("a_some_function", ("a_some_function", "result"))]
    assert registry.get("bad", "default") == "default"


def test_registry_mixin():
    things = Registry.class_registry("thing")

    class Base(RegistryMixin):
        registry = things

    @things.register("mine")
    class Mine(Base):
        pass

    assert type(Base.parse("mine")) is Mine
    mine = Mine()
    assert Base.parse(mine) is mine
    with pytest.raises(NamingError) as error:
        Base.parse("yours")
    assert str(error.value) == "unknown thing 'yours'; expected one of 'mine'"
