"""The looks: Streamlit's configuration and our palettes say the same, and colours can be read and told apart."""

import itertools
import tomllib

import pytest

from llmops.viewing.palette import DARK, LIGHT, Palette
from tests.serving import ROOT

CONFIG = tomllib.loads((ROOT / "src/llmops/.streamlit/config.toml").read_text())
BOTH = pytest.mark.parametrize(("name", "palette"), [("light", LIGHT), ("dark", DARK)])


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@BOTH
def test_streamlit_wears_the_same(name: str, palette: Palette) -> None:
    theme = CONFIG["theme"][name]
    assert (theme["textColor"], theme["backgroundColor"]) == (palette.ink, palette.ground)
    assert (theme["primaryColor"], theme["borderColor"]) == (palette.accent, palette.line)
    assert theme["secondaryBackgroundColor"] == palette.surface
    assert tuple(theme["chartCategoricalColors"]) == palette.series


@BOTH
def test_words_can_be_read(name: str, palette: Palette) -> None:
    """WCAG AA: 4.5 for text; charts' colours 2 at least beside direct labels and tooltips."""
    for ground in (palette.ground, palette.surface):
        for text in (palette.ink, palette.muted, palette.good, palette.bad, palette.warn, palette.accent):
            assert contrast(text, ground) >= 4.5, (name, text, ground)
        assert all(contrast(colour, ground) >= 2 for colour in palette.series)
    for wash in (palette.good_wash, palette.bad_wash, palette.warn_wash):
        assert contrast(palette.ink, wash) >= 4.5 and contrast(palette.muted, wash) >= 4.5
    assert len({*itertools.chain(palette.series)}) == len(palette.series)


def test_nothing_is_sent_or_fetched() -> None:
    assert CONFIG["browser"]["gatherUsageStats"] is False
    assert CONFIG["server"]["address"] == "127.0.0.1"
    assert "http" not in (ROOT / "src/llmops/viewing/style.css").read_text()
