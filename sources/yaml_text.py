"""YAML that people and strangers wrote: cards, recipes, ``--set`` values, the front matter of documents.

PyYAML's safe loader builds plain values only, but a short text can still name a list of lists of lists through aliases until walking
it takes for ever, nest brackets until the stack is gone, name a key twice, or hold a number that Python refuses. Here all of that is a
:class:`NotYaml`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from sources.errors import UserError

#: Longest file, in bytes; deepest nesting; most values, those counted again that an alias names again.
MAX_BYTES = 1 << 20
_DEPTH = 40
_VALUES = 100_000

#: The C parser, ten times as fast, where PyYAML was built with it.
_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class NotYaml(ValueError):  # noqa: N818
    """A text is not YAML that can be taken.

    :param line: where, counted from 1.
    """

    def __init__(self, what: str, line: int = 1) -> None:
        super().__init__(what)
        self.what, self.line = what, line


class _UniqueKeys(_Safe):
    """A mapping that names a key twice is a mistake, not the last value."""


def _mapping(loader: Any, node: yaml.MappingNode) -> dict[Any, Any]:
    seen = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(None, None, "the name of a field is not a text", key.start_mark)
        if key.value in seen:
            raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is given twice", key.start_mark)
        seen.add(key.value)
    loader.flatten_mapping(node)
    return {loader.construct_object(k, deep=True): loader.construct_object(v, deep=True) for k, v in node.value}


_UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load_yaml(text: str, *, unique: bool = True) -> tuple[Any, dict[tuple[str, ...], int]]:
    """The value of a YAML text, and the line of each of its fields.

    :param unique: refuse a key that is given twice.
    :raises NotYaml: it is none.
    """
    if len(text) > MAX_BYTES:
        raise NotYaml(f"longer than {MAX_BYTES:,} characters")
    loader = _UniqueKeys if unique else _Safe
    try:
        _check_depth(text)
        node = yaml.compose(text, Loader=_Safe)
        if node is None:
            return None, {(): 1}
        _count(node, {}, set())
        return yaml.load(text, Loader=loader), _lines(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error).splitlines()[0]
        raise NotYaml(str(problem), mark.line + 1 if mark else 1) from None
    except NotYaml:
        raise
    except (ValueError, TypeError, OverflowError, AttributeError) as error:
        # A date such as 2001-99-99, a number of 5,000 digits, half of a character, an unhashable key.
        raise NotYaml(str(error).splitlines()[0] if str(error) else type(error).__name__) from None


def read_yaml_file(path: Path, what: str, fix: str) -> tuple[Any, dict[tuple[str, ...], int]]:
    """The value of a YAML file, and the line of each of its fields.

    :param what: the file is called in messages.
    :param fix: how to mend a file that cannot be read.
    :raises UserError: it cannot be read or is no YAML.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"a {what} of more than {MAX_BYTES >> 20} MB", where=path, fix=fix)
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise UserError(f"cannot read the {what}: {reason}", where=path, fix=fix) from None
    try:
        return load_yaml(text)
    except NotYaml as error:
        raise UserError(
            f"not valid YAML: {error.what}",
            where=f"{path}:{error.line}",
            fix="indent with spaces, and put texts that hold a colon, a brace or a bracket in quotes",
        ) from None


def _check_depth(text: str) -> None:
    """By the parser's events, which need no stack."""
    depth = 0
    for event in yaml.parse(text, Loader=_Safe):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEPTH:
                raise NotYaml(f"nested more than {_DEPTH} levels deep", event.start_mark.line + 1)  # type: ignore[union-attr]
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _count(node: yaml.Node, known: dict[int, int], above: set[int]) -> int:
    """How many values a node stands for, aliases written out.

    :param known: of nodes seen before, by id.
    :param above: the nodes it stands in.
    """
    if id(node) in above:
        raise NotYaml("an alias names what it stands in", node.start_mark.line + 1)
    if id(node) not in known:
        children: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            children = [child for pair in node.value for child in pair]
        elif isinstance(node, yaml.SequenceNode):
            children = node.value
        known[id(node)] = 1 + sum(_count(child, known, above | {id(node)}) for child in children)
        if known[id(node)] > _VALUES:
            raise NotYaml(f"aliases make more than {_VALUES:,} values of it", node.start_mark.line + 1)
    return known[id(node)]


def _lines(node: yaml.Node, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], int]:
    found = {path: node.start_mark.line + 1}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = key.value if isinstance(key.value, str) else ""
            found |= _lines(value, (*path, name)) | {(*path, name): key.start_mark.line + 1}
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            found |= _lines(value, (*path, str(i)))
    return found
