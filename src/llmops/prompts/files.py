"""Prompts as files, for review in git: a text prompt is Markdown with front matter, a chat prompt is YAML.

::

    prompts/support/refund.md                     prompts/support/answer.yaml
    ---                                           messages:
    variables:                                    - role: system
      customer: {type: string}                      content: |
    ---                                               You answer for {{company}}.
    Write to {{customer}} …                       - role: user
                                                    content: '{{question}}'

The file's path is the prompt's name. What was written comes back as it was, byte for byte of its texts, so that a
difference in git is a difference of the prompt. Files are read as data: YAML without its types, within bounds.
"""

import os
from pathlib import Path
from typing import Any

import msgspec
import yaml

from ..errors import ConfigError, InvalidRequest
from .prompt import Content, checked_name

SUFFIXES = (".md", ".yaml", ".yml")
_MAX_BYTES = 2_000_000
_FENCE = "---"
_OTHER_ENDINGS = ("\x85", "\u2028", "\u2029")
"""Of lines, for YAML, which makes a new line of them wherever they are not escaped."""


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, and no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    if any(ending in text for ending in _OTHER_ENDINGS):
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def written(content: Content) -> str:
    """The file of a content."""
    plain: dict[str, Any] = msgspec.to_builtins(content)
    about = {name: plain[name] for name in ("engine", "variables", "config") if plain.get(name)}
    if content.kind == "chat":
        return _dumped({**about, "messages": plain["messages"]})
    head = f"{_FENCE}\n{_dumped(about)}{_FENCE}\n" if about or content.text.startswith(_FENCE) else ""
    return f"{head}{content.text}\n"


def read(text: str, suffix: str, name: str) -> Content:
    """What a file says; `ConfigError` that names the file's prompt."""
    try:
        if suffix == ".md":
            given = _front_matter(text)
        else:
            given = yaml.safe_load(text)
            if not isinstance(given, dict):
                raise InvalidRequest("must be a mapping with `messages`, or `text`")
        given.setdefault("kind", "chat" if "messages" in given else "text")
        given["variables"] = {key: _variable(each) for key, each in (given.get("variables") or {}).items()}
        return msgspec.convert(given, Content, strict=True)
    except yaml.YAMLError as exc:
        raise ConfigError([f"{name}: {' '.join(str(exc).split())[:300]}"], source="the prompt's file") from exc
    except (msgspec.ValidationError, InvalidRequest, AttributeError) as exc:
        raise ConfigError([f"{name}: {str(exc)[:300]}"], source="the prompt's file") from exc


def _variable(given: Any) -> Any:
    """``customer: string`` is short for ``customer: {type: string}``."""
    return {"type": given} if isinstance(given, str) else given or {}


def _front_matter(text: str) -> dict[str, Any]:
    about: Any = {}
    if text.startswith(f"{_FENCE}\n"):
        end = text.find(f"\n{_FENCE}\n", len(_FENCE))
        if end < 0:
            raise InvalidRequest("the front matter, which begins with ---, has no end")
        about = yaml.safe_load(text[len(_FENCE) + 1 : end + 1]) or {}
        text = text[end + len(_FENCE) + 2 :]
        if not isinstance(about, dict):
            raise InvalidRequest("the front matter must be a mapping")
    return {**about, "text": text.removesuffix("\n")}


def _dumped(value: Any) -> str:
    if not value:
        return ""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


class PromptFiles:
    """A folder of prompts. Reads and writes below it only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> dict[str, Path]:
        """Files by the name of their prompt; `ConfigError` for two files of one name, or an unusable one."""
        found: dict[str, Path] = {}
        for base, folders, files in os.walk(self.folder):
            folders[:] = sorted(each for each in folders if not each.startswith("."))
            for file in sorted(files):
                path = Path(base) / file
                if path.suffix not in SUFFIXES or file.startswith(".") or file == "README.md":
                    continue
                name = path.relative_to(self.folder).with_suffix("").as_posix()
                if name in found:
                    raise ConfigError(
                        [f"{name}: there are two files of it: {found[name].name}, {file}"], source="prompts"
                    )
                found[name] = path
                try:
                    checked_name(name)
                except InvalidRequest as exc:
                    raise ConfigError([f"{path}: {exc.message}"], source="prompts") from exc
        return found

    def read(self, name: str, path: Path) -> Content:
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise ConfigError([f"{path}: larger than {_MAX_BYTES:,} bytes"], source="the prompt's file")
            text = path.read_bytes().decode()
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigError([f"{path}: {exc}"], source="the prompt's file") from exc
        return read(text, path.suffix, name)

    def write(self, name: str, content: Content, present: Path | None) -> Path:
        """Write the file, in the place of the one that is there."""
        path = self.folder / f"{checked_name(name)}{'.md' if content.kind == 'text' else '.yaml'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        swap = path.with_name(f".{path.name}.new")
        swap.write_bytes(written(content).encode())
        swap.replace(path)
        if present is not None and present != path:
            present.unlink()
        return path
