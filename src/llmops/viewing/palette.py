"""Colours of the dashboard in both modes, for charts and for our own markup.

The series are Okabe and Ito's (2008), chosen to be told apart by everybody, moved a little for either background; good
and bad are blue-green and vermilion, never green and red, and never the only sign. The widgets' own colours stand in
``.streamlit/config.toml`` beside the package; a test holds both together.
"""

from typing import NamedTuple


class Palette(NamedTuple):
    ink: str
    muted: str
    line: str
    surface: str
    ground: str
    accent: str
    good: str
    bad: str
    warn: str
    good_wash: str
    bad_wash: str
    warn_wash: str
    series: tuple[str, ...]
    heat: tuple[str, str]


LIGHT = Palette(
    ink="#141a22",
    muted="#566170",
    line="#dde2e8",
    surface="#ffffff",
    ground="#f7f8fa",
    accent="#0069a8",
    good="#00724f",
    bad="#b03a00",
    warn="#7a5200",
    good_wash="#e3f4ee",
    bad_wash="#fdeadf",
    warn_wash="#fdf2d8",
    series=("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5c6670", "#8a6d00"),
    heat=("#e8f1f8", "#00466e"),
)
DARK = Palette(
    ink="#e6ebf1",
    muted="#97a4b3",
    line="#28323e",
    surface="#161d26",
    ground="#0d1218",
    accent="#56b4e9",
    good="#3fd3a5",
    bad="#ff9a5c",
    warn="#f2c14e",
    good_wash="#0f2a24",
    bad_wash="#33200f",
    warn_wash="#2f270f",
    series=("#56b4e9", "#ff8a3d", "#2fc79a", "#e19cc3", "#f0b73a", "#4f9bd9", "#9aa7b5", "#f0e442"),
    heat=("#16222e", "#8fd0f7"),
)
