"""`${NAME}` in a file: taken from the environment as a whole value or inside a URL, nowhere else.

Nowhere else, because a secret pasted into the middle of a text would be hard to see, and a value
that came from outside must never be read as YAML or as a condition.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from crmsync.mapping.problems import Problems
from crmsync.mapping.yaml_nodes import ListNode, MapNode, Node, Path, ScalarNode, node_at

PlainData: TypeAlias = Any
"""Dicts, lists, texts, numbers, booleans and None."""
REFERENCE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_URL: Final = re.compile(r"https?://")


def plain_data(node: Node, env: Mapping[str, str], problems: Problems) -> PlainData:
    """Return the node as dicts, lists and scalars with the environment put in.

    A reference that cannot be resolved is noted and left as it stands.
    """
    if isinstance(node, MapNode):
        for key, place in node.key_places.items():
            if "${" in key:
                problems.error(place, "${...} cannot be part of a key")
        return {key: plain_data(value, env, problems) for key, value in node.entries.items()}
    if isinstance(node, ListNode):
        return [plain_data(item, env, problems) for item in node.items]
    return _substituted(node, env, problems) if "${" in node.text else node.value


def is_reference(node: Node) -> bool:
    """Whether the value comes from the environment as a whole."""
    return isinstance(node, ScalarNode) and REFERENCE.fullmatch(node.text) is not None


def reference_at(root: MapNode, path: Path) -> str | None:
    """Return the variable that the value at a path is taken from as a whole, if it is."""
    node, _, found = node_at(root, path)
    if found != path or not isinstance(node, ScalarNode):
        return None
    reference = REFERENCE.fullmatch(node.text)
    return reference[1] if reference else None


def _substituted(node: ScalarNode, env: Mapping[str, str], problems: Problems) -> str:
    if REFERENCE.sub("", node.text).find("${") >= 0:
        problems.error(node.place, "a reference to the environment looks like ${NAME}")
        return node.text
    if not REFERENCE.fullmatch(node.text) and not _URL.match(node.text):
        message = "${...} may stand for a whole value or inside a URL (https://${HOST}/), not here"
        problems.error(node.place, message)
        return node.text
    missing = dict.fromkeys(name for name in REFERENCE.findall(node.text) if not env.get(name))
    if missing:
        words = "variable {} is" if len(missing) == 1 else "variables {} are"
        which = words.format(" and ".join(missing))
        problems.error(node.place, f"environment {which} not set or empty")
        return node.text
    return REFERENCE.sub(lambda match: env[match[1]], node.text)
