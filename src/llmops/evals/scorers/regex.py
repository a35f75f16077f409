"""Does a pattern match? Patterns and answers are anybody's, so each search has a time after which it is an error."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from ..case import Case
from ..output import Output
from ..score import Metric, Score
from .reading import answers_of, binary, text_of


class SearchTimeout(TimeoutError):
    code = "timeout"


@dataclass(frozen=True, kw_only=True)
class Regex:
    """A regular expression matches the answer."""

    pattern: Annotated[str | None, Meta(description="As Python writes them; none: the case's reference")] = None
    full: Annotated[bool, Meta(description="The whole answer has to match, not a part of it")] = False
    ignore_case: Annotated[bool, Meta(description="Whether capitals do not count")] = False
    timeout_s: Annotated[float, Meta(gt=0, le=10, description="A search that takes longer is an error, not a 0")] = 0.5
    name: Annotated[str, Meta(min_length=1, description="What the score is called")] = "regex"

    def __post_init__(self) -> None:
        if self.pattern is not None:
            import regex

            try:
                regex.compile(self.pattern)
            except regex.error as exc:
                raise ValueError(f"pattern: {self.pattern!r}: {exc}") from exc

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric(name=self.name),)

    def score(self, case: Case, output: Output) -> Score:
        patterns = answers_of(case) if self.pattern is None else [self.pattern]
        text = text_of(output)
        return binary(self.name, any(self._matches(pattern, text) for pattern in patterns))

    def _matches(self, pattern: str, text: str) -> bool:
        import regex

        find = regex.fullmatch if self.full else regex.search
        try:
            return find(pattern, text, flags=regex.I if self.ignore_case else 0, timeout=self.timeout_s) is not None
        except TimeoutError as exc:
            raise SearchTimeout(f"{pattern!r:.100} took longer than {self.timeout_s:g} s") from exc
