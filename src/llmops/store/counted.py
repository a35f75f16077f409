"""Which rows of ``calls`` count as calls: a shadow's copies are paid for, and are nobody's."""

from ..types import SHADOW
from .tables import calls

COUNTED = calls.c.arm.is_distinct_from(SHADOW)
