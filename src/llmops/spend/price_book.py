"""Which price a call has: what the configuration says, otherwise what the provider publishes.

First the deployment's own ``price``, then the section ``prices`` by the name that the client asked for, then the
published list (`published`). A model that is in none of them is unpriced, which is None and never zero.

Prices change at dates and hours, so one is kept only while it holds, and is asked for with the time of the call. Names
may be chosen by clients (a deployment that passes them on), so only the most recently used are kept.
"""

import math
from collections import OrderedDict
from collections.abc import Mapping
from decimal import Decimal

from ..name_pattern import name_matcher
from ..types import Deployment, Rates
from .price import Price
from .published import Quote, published

MOCK_RATES = Rates(input=Decimal("0.15"), cached_input=Decimal("0.075"), output=Decimal("0.60"))
"""Made up, so that costs and budgets can be tried without a provider."""

_LONGEST_NAME = 200
"""A longer name is no model's, and is not worth keeping."""


class PriceBook:
    """Finds prices; without I/O, and without a clock of its own."""

    def __init__(self, overrides: Mapping[str, Rates] | None = None, *, capacity: int = 4096) -> None:
        """``overrides`` by model name or pattern with ``*``; at most ``capacity`` answers are remembered."""
        prices = {name: Price(rates) for name, rates in (overrides or {}).items()}
        self._exact = {name: price for name, price in prices.items() if "*" not in name}
        patterns = sorted((name for name in prices if "*" in name), key=lambda name: -len(name))
        self._patterns = [(name_matcher(name), prices[name]) for name in patterns]
        self._mock = Price(MOCK_RATES)
        self._capacity = capacity
        self._kept: OrderedDict[tuple[Deployment, str], Quote] = OrderedDict()

    def find(self, deployment: Deployment, requested_model: str, at_s: float) -> Price | None:
        """The price at ``at_s`` (seconds since the epoch) of a call for the model ``requested_model``; None: unpriced.

        The first look-up of a published price reads the list into memory; `warm` does so beforehand.
        """
        key = (deployment, requested_model)
        kept = self._kept.get(key)
        if kept is not None and kept.since_s <= at_s < kept.until_s:
            self._kept.move_to_end(key)
            return kept.price
        found = self._look_up(deployment, requested_model, at_s)
        if len(requested_model) <= _LONGEST_NAME:
            self._kept[key] = found
            self._kept.move_to_end(key)
            if len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
        return found.price

    @staticmethod
    def warm() -> None:
        """Read the published list, which takes about 50 ms and 6 MB, before the first call needs it."""
        published("openai", "https://api.openai.com/v1", "gpt-4o", 0.0)

    def _look_up(self, deployment: Deployment, requested_model: str, at_s: float) -> Quote:
        given = self._given(deployment, requested_model)
        if given is not None:
            return _for_ever(given)
        if deployment.provider.name == "mock":
            return _for_ever(self._mock)
        model = deployment.upstream_model(requested_model)
        if len(model) > _LONGEST_NAME:
            return _for_ever(None)
        return published(deployment.provider.name, deployment.base_url, model, at_s)

    def _given(self, deployment: Deployment, requested_model: str) -> Price | None:
        """What the configuration says. As for models, an exact name wins over patterns, the longest of which wins."""
        if deployment.rates is not None:
            return Price(deployment.rates)
        exact = self._exact.get(requested_model)
        if exact is not None:
            return exact
        return next((price for pattern, price in self._patterns if pattern.fullmatch(requested_model)), None)


def _for_ever(price: Price | None) -> Quote:
    return Quote(price, -math.inf, math.inf)
