"""The YAML reader for everything that users write: recipes, configuration files and values of `--set`."""

from __future__ import annotations

import re
from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, with numbers as in JSON and in YAML 1.2, and without repeated keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuses a key that stands twice, of which PyYAML would keep the last."""
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} stands twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


# YAML 1.1, which PyYAML reads, takes 1e3 and 1.5e3 for text: it wants a point, and a sign in the exponent.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)


def read_yaml(text: str) -> Any:
    """Reads a YAML text; no tag creates an object.

    What JSON reads as a number is a number, also `1e3` and `1.5E-3`; digits may be grouped, as in `1_000_000`.

    Args:
        text: One YAML document.

    Returns:
        Mappings, lists, strings, numbers, booleans, dates and None.

    Raises:
        yaml.YAMLError: if the text is not YAML, or a mapping has a key twice.
    """
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - derived from the safe loader
