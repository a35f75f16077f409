"""The section ``prompts`` of the settings: what is meant where a request does not say, and how large prompts may be."""

from pydantic import BaseModel, ConfigDict, Field


class PromptSettings(BaseModel):
    """The prompt registry."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str | None = Field(
        None,
        max_length=100,
        description="Stamped on every record as `prompt_version`; and the version or label of a prompt whose request "
        "says none (default: `production`).",
    )
    fallback: str | None = Field(
        None,
        max_length=40,
        pattern=r"^[a-z0-9_.-]+$",
        description="Version or label that will do where a prompt lacks the one that is meant, such as `latest`.",
    )
    max_value_characters: int = Field(1_000_000, ge=1, le=100_000_000, description="Longest value of a variable.")
    max_rendered_characters: int = Field(4_000_000, ge=1, le=100_000_000, description="Longest prompt when rendered.")
    jinja_seconds: float = Field(
        1.0, gt=0, le=60, description="How long a Jinja template may take before its process is ended."
    )
