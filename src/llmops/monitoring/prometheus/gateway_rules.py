"""Rules about gateways as such: what dashboards ask for again and again, and what somebody should be told of.

They need no objectives. Where there are some (`slo_rules`), failures and slowness are better left to those.
"""

from .rule import Alert, Group, Recording

JOB = "llmops"
RATE = "5m"
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def recording_groups() -> list[Group]:
    rules = [
        Recording(f"model:llm_requests:rate{RATE}", f"sum by (model) (rate(llm_requests_total[{RATE}]))"),
        Recording(
            f"model:llm_errors:ratio_rate{RATE}",
            f'sum by (model) (rate(llm_requests_total{{status=~"5.."}}[{RATE}]))\n'
            f"/ sum by (model) (rate(llm_requests_total[{RATE}]) > 0)",
        ),
        *(
            Recording(
                f"model:{metric}:{name}_{RATE}",
                f"histogram_quantile({share:g}, sum by (model, le) (rate({metric}_bucket[{RATE}])))",
            )
            for metric in ("llm_latency_seconds", "llm_ttft_seconds")
            for name, share in QUANTILES.items()
        ),
        Recording(f"model:llm_cost_usd:rate{RATE}", f"sum by (model) (rate(llm_cost_usd_total[{RATE}]))"),
        Recording(
            f"model:llm_cache_answered:ratio_rate{RATE}",
            f'sum by (model) (rate(llm_cache_calls_total{{state=~"hit|shared|semantic"}}[{RATE}]))\n'
            f"/ sum by (model) (rate(llm_cache_calls_total[{RATE}]) > 0)",
        ),
    ]
    return [Group(name="llmops-gateway", rules=rules)]


def alert_groups() -> list[Group]:
    return [Group(name="llmops-alerts", rules=[*_PAGES, *_TICKETS])]


_PAGES = (
    Alert(
        alert="LLMGatewayDown",
        expr=f'up{{job="{JOB}"}} == 0',
        for_s=120,
        severity="page",
        summary="The gateway {{ $labels.instance }} does not answer",
        description="Prometheus has not been able to scrape it for two minutes.",
    ),
    Alert(
        alert="LLMCallsFail",
        expr=(
            'sum(rate(llm_requests_total{status=~"5.."}[5m])) / sum(rate(llm_requests_total[5m])) > 0.2\n'
            "and sum(increase(llm_requests_total[5m])) >= 50"
        ),
        for_s=120,
        severity="page",
        summary="{{ $value | humanizePercentage }} of all calls fail",
        description="More than a fifth of the calls of the last five minutes ended with a 5xx.",
    ),
    Alert(
        alert="LLMCredentialRefused",
        expr='max by (deployment) (llm_breaker_state{state="dead"}) == 1',
        severity="page",
        summary="{{ $labels.deployment }} refuses our credential, or its account is used up",
        description="Calls go elsewhere, where there is an elsewhere. It does not mend itself.",
    ),
    Alert(
        alert="LLMRecordsLost",
        expr="sum(increase(llmops_log_records_dropped_total[10m])) > 0",
        severity="page",
        summary="Records of calls are being lost",
        description="The request log cannot be written and its memory is full. Look at the disk.",
    ),
)

_TICKETS = (
    Alert(
        alert="LLMDeploymentOut",
        expr='max by (deployment) (llm_breaker_state{state=~"open|half_open"}) == 1',
        for_s=600,
        severity="ticket",
        summary="{{ $labels.deployment }} has been out for ten minutes",
        description="Its breaker is open: attempts there fail.",
    ),
    Alert(
        alert="LLMRecordsWait",
        expr="sum(llmops_log_records_waiting) > 10000",
        for_s=60,
        severity="ticket",
        summary="Records of calls wait for the disk",
        description="{{ $value }} records are in memory. Beyond 200,000 in a process they are lost.",
    ),
    Alert(
        alert="LLMLedgerUnwritten",
        expr="sum(increase(llmops_ledger_unwritten_total[10m])) > 0",
        severity="ticket",
        summary="Reservations cannot be written",
        description="A crash now would lose what calls under way cost. Look at the disk.",
    ),
    Alert(
        alert="LLMIngestBehind",
        expr="max(llmops_ingest_behind_bytes) > 50e6",
        for_s=900,
        severity="ticket",
        summary="The database is behind the request log",
        description="{{ $value | humanize }}B of the log are not in it: usage, traces and figures are old.",
    ),
    Alert(
        alert="LLMCallsShed",
        expr="sum by (sign) (rate(llmops_calls_shed_total[5m])) > 0",
        for_s=300,
        severity="ticket",
        summary="The gateway turns calls away: {{ $labels.sign }}",
        description="It has had too much to do for five minutes. It needs more workers or more machines.",
    ),
    Alert(
        alert="LLMRetriesUsedUp",
        expr="sum by (model) (llm_retry_budget_credits) < 1 and sum by (model) (rate(llm_retries_total[5m])) > 0",
        for_s=300,
        severity="ticket",
        summary="{{ $labels.model }} has used up its retries",
        description="So many calls fail that no more are tried again.",
    ),
    Alert(
        alert="LLMSpansLost",
        expr="sum(increase(llmops_spans_damaged_total[10m])) > 0",
        severity="ticket",
        summary="Spans that were taken in are lost",
        description="The spool of spans was damaged on disk.",
    ),
    Alert(
        alert="LLMExportLoses",
        expr=(
            'sum by (export) (increase(llmops_export_spans_total{fate=~"dropped|refused"}[10m])\n'
            'or increase(llmops_export_scores_total{fate=~"dropped|refused"}[10m])) > 0'
        ),
        severity="ticket",
        summary="The export {{ $labels.export }} loses records",
        description="The tool refuses them, or has taken nothing for longer than they are kept.",
    ),
    Alert(
        alert="LLMExportFails",
        expr="max by (export) (llmops_export_failing) == 1",
        for_s=900,
        severity="ticket",
        summary="The export {{ $labels.export }} has failed for a quarter of an hour",
        description="Records wait on disk until the tool takes them again, or their time is over.",
    ),
    Alert(
        alert="LLMUnpriced",
        expr="sum by (model) (increase(llm_unpriced_calls_total[1h])) > 0",
        severity="ticket",
        summary="{{ $labels.model }} has no known price",
        description="Its calls are counted, their cost is not. Give it under `prices`.",
    ),
)
