"""YAML as data: values that JSON has too, with the line of each entry, and no way to blow up.

Dates stay the texts that were written. A key that is there twice is an error, not the last one. Aliases are followed,
but what they unfold to is counted before it is made.
"""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from ...errors import ConfigError
from .lines import opened

MAX_BYTES = 100_000_000
_MAX_VALUES = 20_000_000
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Plain(_LOADER):  # type: ignore[misc]
    """Without the resolver that makes dates."""


_Plain.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if tag != "tag:yaml.org,2002:timestamp"]
    for first, known in _LOADER.yaml_implicit_resolvers.items()
}


class Entry:
    """A value of a file, and where it stands."""

    def __init__(self, loader: Any, node: Any, path: Path) -> None:
        self._loader, self._node, self._path = loader, node, path

    @property
    def where(self) -> str:
        return f"line {self._node.start_mark.line + 1}"

    @property
    def value(self) -> Any:
        """`ConfigError` for tags and keys that JSON has nothing for."""
        try:
            return self._loader.construct_document(self._node)
        except (yaml.YAMLError, TypeError, ValueError, RecursionError) as exc:
            said = f"{self.where}: {' '.join(str(exc).split())[:300]}"
            raise ConfigError([said], source=str(self._path)) from exc

    @property
    def entries(self) -> "list[Entry] | None":
        """Of a list."""
        if not isinstance(self._node, yaml.SequenceNode):
            return None
        return [Entry(self._loader, node, self._path) for node in self._node.value]

    def get(self, key: str) -> "Entry | None":
        """Of an object."""
        if not isinstance(self._node, yaml.MappingNode):
            return None
        return next(
            (Entry(self._loader, value, self._path) for name, value in self._node.value if name.value == key), None
        )


def read(path: Path) -> Entry:
    """`ConfigError`, with the line, for what is no YAML, or more than a file of cases."""
    if path.exists() and path.stat().st_size > MAX_BYTES:
        raise ConfigError([f"over {MAX_BYTES:,} bytes of YAML; JSONL has no such bound"], source=str(path))
    with opened(path) as file:
        raw = file.read()
    loader = None
    try:
        loader = _Plain(raw)
        node = loader.get_single_node()
        if node is None:
            raise ConfigError(["is empty"], source=str(path))
        _check(node, {}, path)
    except (yaml.YAMLError, UnicodeError, RecursionError) as exc:
        raise ConfigError([f"is no YAML: {' '.join(str(exc).split())[:300]}"], source=str(path)) from exc
    return Entry(loader, node, path)


def _check(node: Any, sizes: dict[int, int | None], path: Path) -> int:
    """How many values a node unfolds to."""
    known = sizes.get(id(node), 0)
    if known is None:
        raise ConfigError([f"line {node.start_mark.line + 1}: refers to itself"], source=str(path))
    if known:
        return known
    sizes[id(node)] = None
    size = 1
    if isinstance(node, yaml.MappingNode):
        names: set[Hashable] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in names:
                said = f"line {key.start_mark.line + 1}: the key {key.value[:60]!r} is there twice"
                raise ConfigError([said], source=str(path))
            names.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
            size += _check(key, sizes, path) + _check(value, sizes, path)
    elif isinstance(node, yaml.SequenceNode):
        size += sum(_check(each, sizes, path) for each in node.value)
    if size > _MAX_VALUES:
        said = f"line {node.start_mark.line + 1}: unfolds to over {_MAX_VALUES:,} values"
        raise ConfigError([said], source=str(path))
    sizes[id(node)] = size
    return size
