"""Embeddings of a model in a folder of this machine; nothing is downloaded.

model2vec's static models take a tenth of a millisecond for a question and run on the event loop. A model of
sentence-transformers takes many, and runs in a thread.
"""

import asyncio
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .asking import unit

if TYPE_CHECKING:
    from .index import Vector

Encode = Callable[[str], "Awaitable[Vector]"]
"""A unit vector for a text. Raises `ValueError` for a text without one."""
EXTRA = "pip install 'llmops-lab[semantic]'"


def problem_with(folder: Path) -> str | None:
    """Why no model can be loaded from there."""
    if not folder.is_dir():
        return f"{str(folder)!r} is no folder; it must hold a model2vec or sentence-transformers model"
    if not (folder / "config.json").is_file():
        return f"{str(folder)!r} holds no config.json; a model2vec or sentence-transformers model has one"
    library = "model2vec" if is_static(folder) else "sentence_transformers"
    if find_spec(library) is None:
        hint = EXTRA if library == "model2vec" else "pip install sentence-transformers"
        return f"{str(folder)!r} needs {library}, which is not installed: {hint}"
    return None


def is_static(folder: Path) -> bool:
    """Whether it is a model2vec model: a table of vectors and a tokenizer, without layers."""
    modules = folder / "modules.json"
    said = (folder / "config.json").read_bytes() + (modules.read_bytes() if modules.is_file() else b"")
    return b"model2vec" in said or b"StaticEmbedding" in said


def load(folder: Path) -> Encode:
    """Raises `ValueError` for a folder that is no model after all."""
    try:
        return _static(folder) if is_static(folder) else _layered(folder)
    except Exception as exc:  # a border: whatever a library says of a damaged model
        raise ValueError(f"{str(folder)!r} cannot be loaded: {exc}") from exc


def _static(folder: Path) -> Encode:
    from model2vec import StaticModel

    model = StaticModel.from_pretrained(folder)

    async def encode(text: str) -> "Vector":
        return unit(model.encode(text))

    return encode


def _layered(folder: Path) -> Encode:
    from sentence_transformers import SentenceTransformer

    model: Any = SentenceTransformer(str(folder), local_files_only=True)

    async def encode(text: str) -> "Vector":
        return unit(await asyncio.to_thread(model.encode, text))

    return encode
