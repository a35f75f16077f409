"""From settings to a semantic cache: what is missing is said at the start, in the words of the configuration."""

from collections.abc import Callable
from importlib.util import find_spec

from ...errors import ConfigError, UnknownModel
from ...name_pattern import name_matcher
from ...semantic_settings import SemanticSettings
from .local_model import EXTRA, Encode, load, problem_with
from .question import Rules
from .semantic import Embed, Semantic, SemanticRules

Find = Callable[[str], object]
"""Finds a model of the gateway; raises `UnknownModel`."""


def check_semantic(section: SemanticSettings, *, cache_enabled: bool, find: Find) -> None:
    """Raise `ConfigError` for settings that cannot be used here; loads nothing."""
    if not section.enabled:
        return
    problems = []
    if not cache_enabled:
        problems.append(
            "enabled: true, and cache.enabled: false: it gives out what the exact cache keeps; switch that on"
        )
    if find_spec("numpy") is None:
        problems.append(f"enabled: true needs numpy, which is not installed: {EXTRA}")
    if section.local_model is not None and (problem := problem_with(section.local_model)):
        problems.append(f"local_model: {problem}")
    for name in ("embeddings_model", "judge_model"):
        model = getattr(section, name)
        if model is not None:
            try:
                find(model)
            except UnknownModel as exc:
                problems.append(f"{name}: {exc.message}")
    if problems:
        raise ConfigError([f"cache.semantic.{problem}" for problem in problems])


def open_semantic(
    section: SemanticSettings, present: Semantic | None, *, cache_enabled: bool, find: Find
) -> Semantic | None:
    """The semantic cache of these settings: the present one where its vectors are of use. `ConfigError` as above."""
    check_semantic(section, cache_enabled=cache_enabled, find=find)
    if not section.enabled:
        return present
    source = f"model {section.embeddings_model}" if section.embeddings_model else f"folder {section.local_model}"
    if present is None or present.source != source:
        from .index import SemanticIndex

        try:
            embed = _embedding_with(load(section.local_model)) if section.local_model is not None else None
        except ValueError as exc:
            raise ConfigError([f"cache.semantic.local_model: {exc}"]) from exc
        return Semantic(source, SemanticIndex(section.max_entries), embed)
    present.index.max_entries = section.max_entries
    return present


def _embedding_with(encode: Encode) -> Embed:
    return lambda call, text: encode(text)


def semantic_rules(section: SemanticSettings) -> SemanticRules:
    patterns = [name_matcher(pattern) for pattern in section.models]
    return SemanticRules(
        threshold=section.threshold,
        timeout_s=section.timeout_seconds,
        judge_timeout_s=section.judge_timeout_seconds,
        questions=Rules(only_deterministic=section.only_deterministic, max_characters=section.max_question_characters),
        takes=lambda name: any(pattern.fullmatch(name) for pattern in patterns),
    )
