"""What a span says, whichever convention it is written in: ``facts_of(span)``, by the tables of this package.

``genai`` (OpenTelemetry, old and new), ``openinference``, ``openllmetry``, and ``common`` for what stands beside them.
"""

from .reading import MAPPING_VERSION, SOURCES, facts_of

__all__ = ["MAPPING_VERSION", "SOURCES", "facts_of"]
