"""Published prices, from the list that the package genai-prices carries. Never asks the network.

The list is 30,000 lines of data, so it is imported with the first look-up and not before. Its look-up of providers is
not used, only its lists and its matching of model names: that one keeps every name it ever saw.

A provider is told by the address that is called, since the same model costs something else on another's machines, and
nothing that this list knows of on one's own. Azure's addresses are the customer's own, so there the adapter tells.

Not covered, because no usage that we read tells them apart: image and video tokens, searches and other tools, service
tiers and batches. They cost what ordinary tokens of the model do, or nothing.
"""

import math
import re
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from ..types import Rates
from .price import Price

if TYPE_CHECKING:
    from genai_prices.types import (
        ConditionalPrice,
        ModelPrice,
        Provider,
        StartDateConstraint,
        TieredPrices,
        TimeOfDateConstraint,
    )

_NAMES = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cached_input",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "input_audio_mtok": "input_audio",
    "cache_audio_read_mtok": "cached_audio",
    "output_audio_mtok": "output_audio",
    "output_reasoning_mtok": "reasoning",
    "requests_kcount": "per_request",
}
"""The list's names → ours: per million tokens, and per thousand calls."""
_LATEST_S = 253_402_128_000  # the last day of which there is a next


class Quote(NamedTuple):
    """A price, None where there is none, and from when until before when it holds, in seconds since the epoch."""

    price: Price | None
    since_s: float
    until_s: float


def published(provider: str, base_url: str, model: str, at_s: float) -> Quote:
    """The price of a provider's model at a time. ``provider`` is our adapter's name, ``model`` the upstream's."""
    seller = _seller(provider, base_url)
    if seller is None:
        return Quote(None, -math.inf, math.inf)
    if seller.id == "google":
        model = model.rpartition("models/")[2]
    found = seller.find_model(model, all_providers=_sellers())
    if found is None:
        return Quote(None, -math.inf, math.inf)
    if not isinstance(found.prices, list):
        return Quote(_price(found.prices), -math.inf, math.inf)
    moment = datetime.fromtimestamp(math.floor(min(max(at_s, 0), _LATEST_S)), UTC)
    since_s, until_s = _validity(found.prices, moment)
    return Quote(_price(found.get_prices(moment)), since_s, until_s)


def _sellers() -> "list[Provider]":
    from genai_prices.data import providers

    return providers


def _seller(provider: str, base_url: str) -> "Provider | None":
    if provider == "azure":
        return next((seller for seller in _sellers() if seller.id == "azure"), None)
    return next((seller for seller in _sellers() if base_url and re.match(seller.api_pattern, base_url)), None)


def _price(listed: "ModelPrice") -> Price | None:
    """The list's prices as ours. None where it has none for tokens or calls: unknown, which is not free."""
    values: dict[str, Decimal | TieredPrices] = {}
    for theirs, ours in _NAMES.items():
        value = getattr(listed, theirs)
        if value is not None:
            values[ours] = value
    if not values.keys() & {"input", "output", "per_request"}:
        return None
    starts = {tier.start for value in values.values() if not isinstance(value, Decimal) for tier in value.tiers}
    return Price(_rates(values, 0), {start: _rates(values, start + 1) for start in starts})


def _rates(values: "dict[str, Decimal | TieredPrices]", prompt: int) -> Rates:
    """The rates of a call with so long a prompt; each kind of token may have tiers of its own."""
    rates = {"input": Decimal(0), "output": Decimal(0)}
    for name, value in values.items():
        if isinstance(value, Decimal):
            rates[name] = value
        else:
            rates[name] = next((tier.price for tier in reversed(value.tiers) if prompt > tier.start), value.base)
    if "per_request" in rates:
        rates["per_request"] = rates["per_request"].scaleb(-3)
    return Rates(**rates)


def _validity(prices: "list[ConditionalPrice]", moment: datetime) -> tuple[float, float]:
    """The last and the next time at which any of the prices begins or ends."""
    edges = [edge.timestamp() for each in prices if each.constraint for edge in _edges(each.constraint, moment)]
    at_s = moment.timestamp()
    return (
        max((edge for edge in edges if edge <= at_s), default=-math.inf),
        min((edge for edge in edges if edge > at_s), default=math.inf),
    )


def _edges(constraint: "StartDateConstraint | TimeOfDateConstraint", moment: datetime) -> list[datetime]:
    """A date begins once; a time of day begins and ends every day, of which those around ``moment`` matter."""
    from genai_prices.types import StartDateConstraint

    if isinstance(constraint, StartDateConstraint):
        return [datetime.combine(constraint.start_date, time(), UTC)]
    days = [moment.date() + timedelta(days=days) for days in (-1, 0, 1)]
    return [
        datetime.combine(day, edge, edge.tzinfo or UTC)
        for day in days
        for edge in (constraint.start_time, constraint.end_time)
    ]
