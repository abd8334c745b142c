"""Colours of the verdicts, measured: they differ in lightness, and for those who see two primaries."""

from __future__ import annotations

import re
from itertools import combinations, pairwise
from math import dist

import pytest

from reports import render

# In the order of the scale.
VERDICTS = ("fits", "tight", "sharded", "offload", "too-big", "unsupported", "unknown")
# CIELAB units (CIE 1976); 2.3 is what can just be told apart side by side.
LEAST_STEP, LEAST_DISTANCE = 9.0, 9.0
# Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency", IEEE
# Transactions on Visualization and Computer Graphics 15 (2009), doi 10.1109/TVCG.2009.113, table of the matrices at
# severity 1.0; for linear RGB.
SEES = {
    "all": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
# Linear sRGB to CIE XYZ under D65, IEC 61966-2-1; then divided by its white.
TO_XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
WHITE = (0.9505, 1.0, 1.0890)
Triple = tuple[float, float, float]


def times(matrix: tuple[Triple, Triple, Triple], vector: Triple) -> Triple:
    a, b, c = (sum(m * v for m, v in zip(row, vector, strict=True)) for row in matrix)
    return a, b, c


def linear(colour: str) -> Triple:
    """Of #rrggbb, from 0 to 1."""
    r, g, b = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return tuple(v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (r, g, b))  # type: ignore[return-value]


def lab(rgb: Triple) -> Triple:
    """CIELAB (CIE 15) of linear RGB; what a simulation puts outside of the gamut is clipped to it."""
    clipped: Triple = tuple(min(1.0, max(0.0, v)) for v in rgb)  # type: ignore[assignment]
    shares = (v / white for v, white in zip(times(TO_XYZ, clipped), WHITE, strict=True))
    x, y, z = (v ** (1 / 3) if v > (6 / 29) ** 3 else v / (3 * (6 / 29) ** 2) + 4 / 29 for v in shares)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def palette(scheme: str) -> dict[str, str]:
    """The custom properties of the style sheet: the first block, and over it what the dark one sets."""
    style = render.assets()["assets/style.css"].decode()
    blocks = re.findall(r":root \{(.*?)\n *\}", style, re.DOTALL)
    assert "color-scheme" in blocks[0]
    assert "(prefers-color-scheme: dark)" in style[: style.index(blocks[1])]
    chosen = blocks[:1] if scheme == "light" else blocks[:2]
    return dict(pair for block in chosen for pair in re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", block))


def test_measures_are_those_of_the_books() -> None:
    """White and black by definition; a mid grey (119) has lightness 50, and pure red 53.2, 80.1, 67.2."""
    assert lab(linear("#ffffff")) == pytest.approx((100, 0, 0), abs=0.05)
    assert lab(linear("#000000")) == pytest.approx((0, 0, 0), abs=0.05)
    assert lab(linear("#777777"))[0] == pytest.approx(50.0, abs=0.1)
    assert lab(linear("#ff0000")) == pytest.approx((53.2, 80.1, 67.2), abs=0.1)
    # who lacks the red or the green cone sees no green in a grey, and red and green nearer to each other
    for kind in ("protanopia", "deuteranopia"):
        assert times(SEES[kind], (0.5, 0.5, 0.5)) == pytest.approx((0.5, 0.5, 0.5), abs=0.001)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_verdicts_go_one_way_in_lightness(scheme: str) -> None:
    """From ink to paper: light grows in the light, and shrinks in the dark."""
    colours = palette(scheme)
    light = [lab(linear(colours[verdict]))[0] for verdict in VERDICTS]
    steps = [b - a if scheme == "light" else a - b for a, b in pairwise(light)]
    assert min(steps) >= LEAST_STEP, dict(zip(VERDICTS, light, strict=True))


@pytest.mark.parametrize("sees", SEES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_any_two_verdicts_differ_for_every_eye(scheme: str, sees: str) -> None:
    colours = palette(scheme)
    seen = {verdict: lab(times(SEES[sees], linear(colours[verdict]))) for verdict in VERDICTS}
    near = {(a, b): dist(seen[a], seen[b]) for a, b in combinations(VERDICTS, 2)}
    assert min(near.values()) >= LEAST_DISTANCE, min(near.items(), key=lambda pair: pair[1])


def contrast(a: str, b: str) -> float:
    """As WCAG 2.1 defines it, from 1 to 21."""
    high, low = sorted((times(TO_XYZ, linear(colour))[1] for colour in (a, b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("glyph", "cell"),
    [("on-verdict", "tight"), ("on-sharded", "sharded"), ("on-offload", "offload"), ("soft", "unknown")],
)
def test_glyphs_that_say_more_than_their_colour_are_read(scheme: str, glyph: str, cell: str) -> None:
    """A number of devices, a half, a diamond and a question mark: as words have it, 4.5 to 1."""
    colours = {name: "#" + 2 * code[1:] if len(code) == 4 else code for name, code in palette(scheme).items()}
    assert contrast(colours[glyph], colours[cell]) >= 4.5
