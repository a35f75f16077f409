"""What watches over the calls: figures of any window, service level objectives, scores, and alerts."""

from collections.abc import Callable, Sequence

from ..app import Stack
from ..evals.repository.drift import DriftRepository
from ..identity.directory import IdentityDirectory
from ..monitoring.alerts.directory import AlertDirectory
from ..monitoring.alerts.receivers.opening import open_receivers
from ..monitoring.alerts.signals import Watcher
from ..monitoring.alerts.sources import Shift
from ..monitoring.alerts.supply import breaker_states, build_sources, lost_figures
from ..monitoring.alerts.watch import AlertWatch
from ..monitoring.slo.directory import SLODirectory
from ..monitoring.slo.score_counts import ScoreCounts
from ..online_settings import DriftSettings
from ..settings import Settings
from ..spend.rule_directory import RuleDirectory
from ..telemetry.assessments.assessment import Assessment
from ..telemetry.assessments.repository.assessments import AssessmentRepository
from ..telemetry.assessments.repository.counts import AssessmentCounts
from ..telemetry.figures import Figure
from ..telemetry.rollups.overview import Overview
from ..telemetry.rollups.repository.folding import FoldingRepository
from ..telemetry.rollups.upkeep import Upkeep
from .rollouts import rollout_shifts
from .service import Service


class Watching:
    """Over one stack. ``figures`` are what the services count; of them, what was lost is an alert."""

    def __init__(
        self, stack: Stack, identity: IdentityDirectory, rules: RuleDirectory, figures: Callable[[], Sequence[Figure]]
    ) -> None:
        parts, database = stack.parts, identity.database
        self._metrics = parts.metrics
        self._upkeep = Upkeep(FoldingRepository(database), lambda: stack.settings.history, parts.clock.now_s)
        self.overview = Overview(database, parts.clock.now_s)
        self._drift = DriftRepository(database)
        self._now_s = parts.clock.now_s
        self.assessments = AssessmentRepository(database, on_stored=self._count_scores)
        scores = ScoreCounts(AssessmentCounts(database))
        self.slos = SLODirectory(self.overview, lambda: stack.settings.slos, parts.clock.now_s, scores)
        self.alerts = AlertDirectory(database, lambda: stack.settings.alerts, parts.clock)
        self.check(stack.settings)
        self._watch = AlertWatch(
            database,
            lambda: stack.settings.alerts,
            build_sources(
                database,
                rules,
                self.slos.standings,
                lambda: self._shifts(stack.settings.evals.drift),
                lambda: rollout_shifts(database, parts.clock.now_s),
            ),
            Watcher(
                lambda: breaker_states(parts.fleet, parts.clock.monotonic_s),
                lambda: {"log records": parts.log.dropped, **lost_figures(figures())},
            ),
            parts.clock,
        )

    @staticmethod
    def check(wanted: Settings) -> None:
        """`ConfigError` for receivers that are of no use."""
        open_receivers(wanted.alerts)

    @property
    def followers(self) -> list[Service]:
        return [Service(self._upkeep.start, self._upkeep.aclose, self._upkeep.problems)]

    @property
    def services(self) -> list[Service]:
        return [Service(self._watch.start, self._watch.aclose, self._watch.problems)]

    def _shifts(self, wanted: DriftSettings) -> list[Shift]:
        """Of reports that are not older than three looks, those watches that are still configured."""
        names = {each.name for each in wanted.watches}
        if not names:
            return []
        fresh_s = self._now_s() - 3 * wanted.interval_minutes * 60
        reports = [each for each in self._drift.latest() if each.watch in names and each.at_s >= fresh_s]
        return [
            Shift(
                labels={**report.where, "watch": report.watch, "aspect": finding.aspect},
                size=finding.size if finding.is_real else 0.0,
                detail=f"{finding.before} before, {finding.now} now",
            )
            for report in reports
            for finding in report.findings
            if finding.size is not None
        ]

    def _count_scores(self, stored: Sequence[Assessment]) -> None:
        for each in stored:
            if each.value is not None:
                self._metrics.score(each.name, each.value, tenant=each.tenant)
