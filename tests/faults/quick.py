"""A scenario at a length that a test may have."""

from pathlib import Path
from typing import Any

from tests.store.required import missing

from .catalogue import SCENARIOS
from .report import Report
from .scene import NotInstalled, Options


async def quick(name: str, folder: Path, **given: Any) -> Report:
    """Run a scenario; the test fails with all that it found when a promise was broken."""
    report = Report(name)
    options: dict[str, Any] = {"rate": 220.0, "outage_s": 3.0, **given}
    try:
        await SCENARIOS[name](Options(folder, report, quick=True, **options))
    except NotInstalled as exc:
        missing(exc.server, exc.package)
    assert report.kept, report.text()
    return report
