"""``llmops reconcile``: prove that request log, database and the running gateway's counters say the same."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .output import ConfigOption, JsonFlag, print_json, print_table, say
from .usage import catch_up, opened, progress_bar

if TYPE_CHECKING:
    from ..spend.usage.reconciliation import Reconciliation
    from ..spend.usage.seeder import CounterComparison


def reconcile(
    repair: Annotated[
        bool, typer.Option("--repair", help="Store what is missing or different, from the log, and sum up anew.")
    ] = False,
    key: Annotated[
        str | None,
        typer.Option(
            envvar="LLMOPS_ADMIN_KEY",
            help="An administrator's key, for the running gateway's counters; needed once there are keys.",
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Prove that the log, the database and the counters say the same.

    Every line on disk is compared with its call, the sums by day with the calls, and the running gateway's counters of
    quotas and budgets with the sums. Status 1: they differ.
    """
    import msgspec

    with opened(config) as directory:
        catch_up(directory)
        if repair:
            with progress_bar("repairing") as progress:
                mended = directory.repair(progress)
            say(f"{mended.different_calls} calls were not the same in the database; all sums are made anew")
        with progress_bar("comparing") as progress:
            found = directory.reconcile(progress)
        compared = _compare_counters(directory.log, key)
        if compared is not None:
            found.counters_compared, found.counter_differences = compared.compared, compared.differences
    if as_json:
        print_json({"equal": found.equal, **msgspec.to_builtins(found)})
    else:
        _print(found)
    raise typer.Exit(0 if found.equal else 1)


def _compare_counters(log: Path, key: str | None) -> "CounterComparison | None":
    """What the gateway that writes this log says of its counters; None, and why on stderr, where nobody says."""
    from urllib.error import URLError
    from urllib.request import Request, urlopen

    import msgspec

    from ..gateway.state_file import find_running, state_path
    from ..spend.usage.seeder import CounterComparison

    running = find_running(state_path(log.parent))
    if running is None:
        say("counters are not compared: no gateway is running here")
        return None
    request = Request(f"{running.url}/api/counters", headers={"authorization": f"Bearer {key}"} if key else {})
    try:
        with urlopen(request, timeout=10) as answer:
            return msgspec.json.decode(answer.read(), type=CounterComparison)
    except (URLError, OSError, msgspec.DecodeError) as exc:
        say(f"counters are not compared: {running.url} does not say ({exc}); it may need --key or LLMOPS_ADMIN_KEY")
        return None


def _print(found: "Reconciliation") -> None:
    from ..spend.rule import usd

    places = (("log", found.log), ("calls", found.calls), ("usage_days", found.usage_days))
    print_table(
        ["place", "calls", "tokens", "usd"],
        [[name, f"{used.calls:,}", f"{used.tokens:,}", usd(used.nanousd)] for name, used in places],
    )
    say(
        f"{found.log_lines:,} lines on disk, {found.repeated_lines:,} of them repeated, "
        f"{found.unreadable_lines:,} unreadable; calls of files that are gone are in the database only"
    )
    if found.call_differences:
        print_table(["request_id", "difference"], [[each.request_id, each.what] for each in found.call_differences])
        say(f"{found.different_calls:,} calls differ; the first {len(found.call_differences)} are listed")
    if found.day_differences:
        print_table(
            ["day", "tenant", "between", "calls", "tokens", "usd"],
            [
                [
                    each.day,
                    each.tenant,
                    each.places,
                    f"{each.first.calls:,} / {each.second.calls:,}",
                    f"{each.first.tokens:,} / {each.second.tokens:,}",
                    f"{usd(each.first.nanousd)} / {usd(each.second.nanousd)}",
                ]
                for each in found.day_differences
            ],
        )
    if found.counter_differences:
        print_table(
            ["rule", "stored", "counted"],
            [[each.rule, f"{each.stored:,}", f"{each.counted:,}"] for each in found.counter_differences],
        )
    if found.counters_compared is not None:
        say(f"{found.counters_compared} counters of quotas and budgets compared; calls under way put them ahead")
    say("equal" if found.equal else "NOT equal; `llmops reconcile --repair` mends the database from the log")
