"""Cases from what was recorded: chosen by the trace search's filters, sampled, masked, and only with consent.

A tenant's texts become part of a dataset where its operator has written down that it allowed so (``evals.datasets``);
by which setting stands in each case. A case remembers its trace; its session is its cluster. What people or judges said
of the trace may become its reference.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from ...errors import Forbidden, InvalidRequest
from ...telemetry.assessments.assessment import Assessment
from ...telemetry.assessments.repository.assessments import Wanted
from ...telemetry.redaction import Redactor
from ...telemetry.traces.query import Order, TraceFilter, TraceItem, TracePage
from ...telemetry.traces.view import TraceView
from ..case import Case
from .logged import LoggedTexts
from .recorded import Recorded, masked, of_calls, of_spans
from .report import Progress, Report, no_progress
from .sampling import sampled

Stratum = Literal["model", "session", "release_id", "name", "state"]
STRATA: tuple[Stratum, ...] = ("model", "session", "release_id", "name", "state")
_PAGE = 1000
_SPANS = 500


class Traces(Protocol):
    """`telemetry.traces.directory.TraceDirectory`."""

    def search(
        self, wanted: TraceFilter, order: Order = "newest", limit: int = 50, cursor: str | None = None
    ) -> TracePage: ...

    def read(
        self, trace_id: str, tenant: str | None, *, limit: int = 200, cursor: str | None = None, full: bool = True
    ) -> TraceView | None: ...


class Assessments(Protocol):
    """`telemetry.assessments.repository.assessments.AssessmentRepository`."""

    def find(self, wanted: Wanted, limit: int, before: tuple[int, str, str] | None = None) -> list[Assessment]: ...


class Consent(Protocol):
    """`eval_settings.DatasetSettings`."""

    def basis_of(self, tenant: str) -> str | None: ...


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """At most ``count`` of the newest ``scan`` traces; ``by``: groups that all shall be there."""

    count: int = 100
    scan: int = 10_000
    by: tuple[Stratum, ...] = ()
    seed: int = 0


class TraceImport:
    """``log_files`` are those of the request log: there calls' texts are, in the trace store their words alone."""

    def __init__(
        self, traces: Traces, assessments: Assessments, log_files: Iterable[Path], consent: Consent, redactor: Redactor
    ) -> None:
        self._traces = traces
        self._assessments = assessments
        self._log_files = list(log_files)
        self._consent = consent
        self._redactor = redactor

    def cases(
        self,
        wanted: TraceFilter,
        sampling: Sampling,
        report: Report,
        *,
        reference: str | None = None,
        progress: Progress = no_progress,
    ) -> Iterator[Case]:
        """Cases of one tenant's traces. ``reference``: ``output``, or the name of a score.

        `Forbidden` without the tenant's consent. Traces without captured texts, or without that score, are left out
        and told, and others taken instead.
        """
        tenant, basis = self._allowed(wanted)
        left = sampling.count
        for item, said in self._chosen(tenant, wanted, sampling, report, progress):
            right = self._reference(reference, tenant, said)
            if reference is not None and right is None:
                report.note(f"left out: has no score {reference!r}")
                continue
            yield self._case(item, said, right, basis)
            left -= 1
            if left <= 0:
                return

    def recorded(
        self, wanted: TraceFilter, sampling: Sampling, report: Report, *, progress: Progress = no_progress
    ) -> Iterator[tuple[Case, str]]:
        """The same for people to judge: each case with what was answered."""
        tenant, basis = self._allowed(wanted)
        chosen = self._chosen(tenant, wanted, sampling, report, progress)
        for _, (item, said) in zip(range(sampling.count), chosen, strict=False):
            yield self._case(item, said, None, basis), self._redactor.text(said.output)

    def _allowed(self, wanted: TraceFilter) -> tuple[str, str]:
        if wanted.tenant is None:
            raise InvalidRequest("name the tenant whose traces are to become cases", param="tenant")
        basis = self._consent.basis_of(wanted.tenant)
        if basis is None:
            raise Forbidden(
                f"the tenant {wanted.tenant!r} has not allowed its texts to become part of datasets; once it has, set "
                f"evals.datasets.tenants.{wanted.tenant}.consent: true",
                param="tenant",
            )
        return wanted.tenant, basis

    def _chosen(
        self, tenant: str, wanted: TraceFilter, sampling: Sampling, report: Report, progress: Progress
    ) -> Iterator[tuple[TraceItem, Recorded]]:
        """All that have texts, in the sample's order: whoever asks takes as many as are wanted."""
        items = self._found(wanted, sampling.scan, report)
        ordered = sampled(
            items, len(items), key=lambda item: item.trace_id, stratum=_stratum(sampling.by), seed=sampling.seed
        )
        logged = LoggedTexts(self._log_files, tenant, {item.trace_id for item in items})
        for number, item in enumerate(ordered):
            said = self._said(item, tenant, logged)
            if said is None:
                report.note("left out: its texts were not captured, or are no longer kept")
                continue
            progress(number, len(ordered))
            yield item, said
        progress(len(ordered), len(ordered))

    def _found(self, wanted: TraceFilter, most: int, report: Report) -> list[TraceItem]:
        found: dict[str, TraceItem] = {}
        cursor = None
        while len(found) < most:
            page = self._traces.search(wanted, "newest", min(_PAGE, most), cursor)
            for item in page.items:
                found.setdefault(item.trace_id, item)
            cursor = page.cursor
            if cursor is None:
                return list(found.values())[:most]
        report.note(f"only the newest {most:,} traces were looked at; there are more")
        return list(found.values())[:most]

    def _said(self, item: TraceItem, tenant: str, logged: LoggedTexts) -> Recorded | None:
        calls = logged.of(item.trace_id)
        if item.source == "spans" or not calls:
            view = self._traces.read(item.trace_id, tenant, limit=_SPANS)
            found = of_spans(view) if view is not None else None
            if found is not None:
                return found
        return of_calls(calls, item.span_id)

    def _reference(self, which: str | None, tenant: str, said: Recorded) -> Any:
        if which is None:
            return None
        if which == "output":
            return self._redactor.text(said.output)
        found = self._assessments.find(Wanted(tenant=tenant, trace_id=said.trace_id, name=which), 1)
        if not found:
            return None
        told = found[0].label or found[0].comment
        return self._redactor.text(told) if told else found[0].value

    def _case(self, item: TraceItem, said: Recorded, reference: Any, basis: str) -> Case:
        known = {"session": item.session, "model": item.model, "release_id": item.release_id}
        return Case(
            id=f"trace-{item.trace_id}",
            input=masked(said.input, self._redactor),
            reference=reference,
            cluster=item.session,
            metadata={
                "trace_id": item.trace_id,
                "span_id": said.span_id,
                "tenant": item.tenant,
                "at_ms": item.started_us // 1000,
                "output": self._redactor.text(said.output),
                "consent": basis,
                **{name: value for name, value in known.items() if value is not None},
            },
        )


def _stratum(by: Sequence[Stratum]) -> Any:
    def of(item: TraceItem) -> list[str | None]:
        return [("error" if item.errors else "ok") if name == "state" else getattr(item, name) for name in by]

    return of
