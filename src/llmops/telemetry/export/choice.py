"""Which spans and scores a destination gets, and how much of them. All spans of a trace are chosen alike, everywhere.

The sample is by the trace's id, so that gateways and exports that sample alike choose the same traces, and a score goes
where its trace went. Texts are masked unless they are asked for.
"""

from collections.abc import Iterable
from hashlib import blake2b

import msgspec

from ..assessments.assessment import Assessment
from ..spans.span import Span
from ..traces.masking import masked
from .destination import Destination

TENANT = "llmops.tenant"


class Choice:
    def __init__(self, destination: Destination) -> None:
        self._tenants = frozenset(destination.tenants)
        self._share = int(destination.sample * 2**64)
        self._content = destination.content

    def spans(self, spans: Iterable[Span], tenant: str | None) -> list[Span]:
        """Those that are sent, as they are sent."""
        if self._tenants and tenant not in self._tenants:
            return []
        chosen = [span for span in spans if self._in_sample(span.trace_id)]
        if not self._content:
            chosen = [masked(span) for span in chosen]
        return [_of_tenant(span, tenant) for span in chosen] if tenant is not None else chosen

    def wants(self, assessment: Assessment) -> bool:
        if self._tenants and assessment.tenant not in self._tenants:
            return False
        return self._in_sample(assessment.trace_id or assessment.session or "")

    def shown(self, assessment: Assessment) -> Assessment:
        """As it is sent: a comment may quote what was said."""
        if self._content or assessment.comment is None:
            return assessment
        return msgspec.structs.replace(assessment, comment=f"[masked: {len(assessment.comment)} characters]")

    def _in_sample(self, key: str) -> bool:
        return int.from_bytes(blake2b(key.encode(), digest_size=8).digest()) < self._share


def _of_tenant(span: Span, tenant: str) -> Span:
    """Whose it is: what it says itself of that is not to be believed."""
    return msgspec.structs.replace(span, resource={**span.resource, TENANT: tenant})
