"""What `llmops doctor` looks at; `examine` runs all of it and never fails itself."""

from pathlib import Path

from .configuration import check_configuration
from .finding import Finding
from .issuers import check_issuers
from .machine import check_clock, check_log_folder, check_packages, check_python
from .network import check_port, check_upstreams

__all__ = ["Finding", "examine"]


async def examine(file: Path | None, *, offline: bool = False) -> list[Finding]:
    """All findings, in the order in which one would mend them. ``offline``: leave the upstreams alone."""
    findings = [check_python(), *check_packages()]
    settings, models, said = check_configuration(file)
    findings += said
    if settings is not None:
        findings += check_log_folder(settings.log.dir)
        findings += check_port(settings.server.host, settings.server.port, settings.log.dir)
    findings.append(check_clock())
    if not offline:
        findings += await check_upstreams(models)
        findings += await check_issuers(settings.auth.jwt if settings is not None else [])
    return findings
