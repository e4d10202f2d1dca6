"""Walking JSON: rebuild a tree with other leaves, other keys, other shapes."""

import re
from collections.abc import Callable
from typing import Any


def snake(key: str) -> str:
    """`warmPathsIn` and `WARM_PATHS_IN` as `warm_paths_in`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower()


def camel(key: str) -> str:
    """`warm_paths_in` as `warmPathsIn`."""
    head, *rest = snake(key).split("_")
    return head + "".join(word.capitalize() for word in rest)


def upper(key: str) -> str:
    """`warmPathsIn` as `WARM_PATHS_IN`."""
    return snake(key).upper()


def with_leaves(tree: Any, change: Callable[[str, Any], Any], key: str = "") -> Any:
    """The tree with `change(key, leaf)` for every leaf; a list's leaves go by the key of the list."""
    if isinstance(tree, dict):
        return {name: with_leaves(value, change, name) for name, value in tree.items()}
    if isinstance(tree, list):
        return [with_leaves(value, change, key) for value in tree]
    return change(key, tree)


def with_objects(tree: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """The tree with `change(object)` for every object, inner ones first."""
    if isinstance(tree, dict):
        return change({name: with_objects(value, change) for name, value in tree.items()})
    if isinstance(tree, list):
        return [with_objects(value, change) for value in tree]
    return tree


def with_key(found: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    """The object with `old` called `new`, in its place."""
    return {new if name == old else name: value for name, value in found.items()}
