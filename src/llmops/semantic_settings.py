"""The shape of the section ``cache.semantic``: whether an answer may be given to another wording of its question."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class SemanticSettings(BaseModel):
    """Answers for questions that mean the same. Off by default: measure with `llmops cache measure` first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(False, description="Answer a question with a kept answer to one that means the same.")
    embeddings_model: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="A model of this gateway that embeds questions; a call for each.",
    )
    local_model: Path | None = Field(
        None, description="Instead of it: the folder of a model2vec or sentence-transformers model."
    )
    threshold: float = Field(
        0.9, gt=0, le=1, description="Least similarity (cosine). It means something else for every embedding model."
    )
    models: list[str] = Field(
        ["*"], min_length=1, max_length=1000, description="Models whose calls take part; names or patterns with `*`."
    )
    only_deterministic: bool = Field(
        False, description="Leave calls alone that do not say `temperature: 0`; those that ask for more always are."
    )
    max_entries: int = Field(
        100_000, ge=1, le=10_000_000, description="Questions remembered in this process; the oldest go."
    )
    max_question_characters: int = Field(2000, ge=1, le=100_000, description="Longer questions are left alone.")
    timeout_seconds: float = Field(1.0, gt=0, le=60, description="Longest wait for an embedding; then it is a miss.")
    judge_model: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="A model of this gateway that confirms every hit; none: no judge.",
    )
    judge_timeout_seconds: float = Field(5.0, gt=0, le=60, description="Longest wait for it; then it is a miss.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.enabled and (self.embeddings_model is None) == (self.local_model is None):
            raise ValueError("say either embeddings_model (a model of this gateway) or local_model (a folder)")
        return self
