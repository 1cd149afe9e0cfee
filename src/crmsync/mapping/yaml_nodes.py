"""YAML text as a tree of nodes that know their place, from files nobody has vouched for.

The tree is built from PyYAML's events, never by its constructors, so a file can name no Python
object. Of YAML 1.1 only what a mapping needs is understood: `on`, `yes`, `010`, `1:30` and
`2024-01-01` are text, as in YAML 1.2; anchors, tags and merge keys are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import yaml

from crmsync.mapping.problems import Place, Problems

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 40
_LONGEST_KEY: Final = 200
_YAML_TAGS: Final = "tag:yaml.org,2002:"
_SHOWN_TAG: Final = 40
_SHOWN_LINE: Final = 200
"""Characters of a source line worth showing below a problem."""

_Event: TypeAlias = Any
_Mark: TypeAlias = Any
"""PyYAML's types for these leave out what they hold."""
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})\.[0-9]{1,17}([eE][-+]?[0-9]{1,2})?")
_CONSTANTS: Final = {"true": True, "false": False, "null": None, "~": None, "": None}
_BYTE_ORDER_MARK: Final = "\ufeff"


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """One text, number, boolean or nothing."""

    place: Place
    text: str
    value: str | int | float | bool | None

    def place_at(self, offset: int) -> Place:
        """Return the place of the character at `offset` of the text, where the line shows it."""
        line, start = self.place.source_line, self.place.column - 1
        quoted = line[start : start + 1] in ('"', "'")
        if line[start + quoted :].startswith(self.text):
            return self.place.shifted(quoted + offset)
        return self.place


@dataclass(frozen=True, slots=True)
class ListNode:
    """A sequence."""

    place: Place
    items: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class MapNode:
    """Keys, always text, in the order of the file."""

    place: Place
    entries: dict[str, Node] = field(default_factory=dict)
    key_places: dict[str, Place] = field(default_factory=dict)


Node: TypeAlias = ScalarNode | ListNode | MapNode
Path: TypeAlias = tuple[str | int, ...]
"""Keys and positions that lead from a node to one below it."""


class _Refused(Exception):
    """The file cannot be read further."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place
        self.message = message


def read_yaml(file: str, content: bytes, problems: Problems) -> MapNode | None:
    """Read one file; None, with a problem noted, where it is not a mapping of keys to values."""
    try:
        text = _decoded(file, content)
        return _Reader(file, text, problems).read()
    except _Refused as refused:
        problems.error(refused.place, refused.message)
        return None


def node_at(root: Node, path: Path) -> tuple[Node, Place, Path]:
    """Return the deepest node on a path, the place to point at, and the path that leads there.

    Parts of the path that the file does not have are skipped (a validator's own labels, a key that
    is missing). The place is the key's where the path ends in a key.
    """
    node, place = root, root.place
    found: list[str | int] = []
    for part in path:
        if isinstance(node, MapNode) and part in node.entries:
            key = str(part)
            place = node.key_places[key]
            node = node.entries[key]
        elif isinstance(node, ListNode) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            place = node.place
        else:
            continue
        found.append(part)
    return node, place, tuple(found)


def _decoded(file: str, content: bytes) -> str:
    place = Place(file)
    if len(content) > MAX_BYTES:
        raise _Refused(place, "the file is larger than 1 MiB")
    try:
        text = content.decode("utf-8").removeprefix(_BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        message = "the file is not UTF-8 text; save it as UTF-8"
        raise _Refused(Place(file, line), message) from None
    return text


class _Reader:
    """Turns the events of one file into nodes."""

    def __init__(self, file: str, text: str, problems: Problems) -> None:
        self._file = file
        self._text = text
        self._lines = text.splitlines()
        self._problems = problems

    def read(self) -> MapNode:
        try:
            events = yaml.parse(self._text, Loader=_Loader)
            root = self._document(events)
        except yaml.MarkedYAMLError as error:
            reason = f"{error.problem or error.context}"
            place = self._place(self._mark_to_show(error))
            raise _Refused(place, f"not valid YAML: {reason}{_hint(reason)}") from None
        except yaml.reader.ReaderError as error:
            line = self._text[: error.position].count("\n") + 1
            message = "not valid YAML: the file holds a control character"
            raise _Refused(Place(self._file, line), message) from None
        if not isinstance(root, MapNode):
            raise _Refused(root.place, "expected keys and values, such as `object: contacts`")
        return root

    def _document(self, events: Iterator[_Event]) -> Node:
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent) and root is not None:
                place = self._place(event.start_mark)
                raise _Refused(place, "a second document (`---`) in one file; use a file for each")
            if isinstance(event, yaml.NodeEvent):
                root = self._node(event, events, 1)
        if root is None or (isinstance(root, ScalarNode) and root.value is None):
            raise _Refused(Place(self._file), "the file is empty")
        return root

    def _node(self, event: _Event, events: Iterator[_Event], depth: int) -> Node:
        place = self._place(event.start_mark)
        if depth > MAX_DEPTH:
            raise _Refused(place, f"nested more than {MAX_DEPTH} deep")
        if isinstance(event, yaml.AliasEvent) or event.anchor:
            raise _Refused(place, "anchors and aliases (& and *) are not supported; write it out")
        if event.tag:
            tag = event.tag.replace(_YAML_TAGS, "!!")[:_SHOWN_TAG]
            raise _Refused(place, f"tags such as {tag} are not supported")
        if isinstance(event, yaml.ScalarEvent):
            if "\0" in event.value:
                raise _Refused(place, "a text holds the character NUL")
            value = _resolved(event.value) if event.implicit[0] else event.value
            return ScalarNode(place, event.value, value)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(place, events, depth)
        return self._map(place, events, depth)

    def _list(self, place: Place, events: Iterator[_Event], depth: int) -> ListNode:
        node = ListNode(place)
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            node.items.append(self._node(event, events, depth + 1))
        return node

    def _map(self, place: Place, events: Iterator[_Event], depth: int) -> MapNode:
        node = MapNode(place)
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._node(event, events, depth + 1)
            value = self._node(next(events), events, depth + 1)
            if not isinstance(key, ScalarNode):
                self._problems.error(key.place, "a key must be a single name")
            elif len(key.text) > _LONGEST_KEY:
                self._problems.error(key.place, f"a key is longer than {_LONGEST_KEY} characters")
            elif key.text == "<<":
                self._problems.error(key.place, "merge keys (<<) are not supported; write it out")
            elif key.text in node.entries:
                first = node.key_places[key.text].line
                message = f"duplicate key '{key.text}' (first on line {first})"
                self._problems.error(key.place, message)
            else:
                node.entries[key.text] = value
                node.key_places[key.text] = key.place
        return node

    def _mark_to_show(self, error: yaml.MarkedYAMLError) -> _Mark | None:
        """Return where the mistake is; where the file ends too early, what was left open."""
        mark = error.problem_mark or error.context_mark
        at_end = mark is not None and mark.line >= len(self._lines)
        return error.context_mark if at_end and error.context_mark else mark

    def _place(self, mark: _Mark | None) -> Place:
        if mark is None:
            return Place(self._file)
        line = self._lines[mark.line] if mark.line < len(self._lines) else ""
        return Place(self._file, mark.line + 1, mark.column + 1, line[:_SHOWN_LINE].rstrip())


def _resolved(text: str) -> str | int | float | bool | None:
    """Return what an unquoted scalar means: YAML 1.2's core, decimal numbers only."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _hint(reason: str) -> str:
    """Add what usually causes a complaint of the YAML parser."""
    if "mapping values are not allowed" in reason:
        return "; put a text that holds ': ' in quotes, or check the indentation"
    if "cannot start any token" in reason:
        return "; indent with spaces, and put texts that begin with @, ` or % in quotes"
    if "end of stream" in reason:
        return "; the quote that begins here is never closed"
    if "expected ',' or" in reason or "did not find expected" in reason:
        return "; a bracket or quote may be open, `${...}` and `{...}` texts need quotes"
    return ""
