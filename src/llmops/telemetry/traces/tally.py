"""What became of the spans that were sent here, as numbers.

What was answered with "taken" is in the database (``stored``), was there already (``known``), could not be kept and is
told (``damaged``), or waits on disk (``waiting``, by what lies there). ``rejected`` spans and ``refused`` requests were
never taken: their senders were told.
"""

import msgspec

from ..figures import Figure


class TraceTally(msgspec.Struct, kw_only=True):
    """Counts spans, but ``refused`` requests by reason, and ``unindexed`` texts. The last three are of now."""

    accepted: int = 0
    stored: int = 0
    known: int = 0
    damaged: int = 0
    rejected: int = 0
    removed: int = 0
    refused: dict[str, int] = {}
    waiting: int = 0
    waiting_bytes: int = 0
    unindexed: int = 0

    def refuse(self, reason: str) -> None:
        self.refused[reason] = self.refused.get(reason, 0) + 1

    def figures(self) -> list[Figure]:
        """For the metrics."""
        return [
            Figure("llmops_spans_accepted_total", self.accepted),
            Figure("llmops_spans_stored_total", self.stored),
            Figure("llmops_spans_known_total", self.known),
            Figure("llmops_spans_damaged_total", self.damaged),
            Figure("llmops_spans_waiting", self.waiting),
            Figure("llmops_spans_waiting_bytes", self.waiting_bytes),
            Figure("llmops_spans_rejected_total", self.rejected),
            Figure("llmops_spans_removed_total", self.removed),
            Figure("llmops_span_texts_unindexed", self.unindexed),
            *[Figure("llmops_span_exports_refused_total", count, (why,)) for why, count in list(self.refused.items())],
        ]
