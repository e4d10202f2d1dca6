"""The geometry of the two charts: pure, from figures to what an SVG needs. Nothing is drawn in the browser."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.page.figures import Hour

WIDTH, HEIGHT = 640, 170
LEFT, TOP, BOTTOM = 44, 10, 24
_PLOT = HEIGHT - TOP - BOTTOM
_GAP = 3
_STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle, and what it says."""

    x: float
    y: float
    width: float
    height: float
    kind: str


@dataclass(frozen=True, slots=True)
class Line:
    """A polyline of one series, unbroken where there are figures."""

    points: str
    kind: str


def nice(most: float) -> float:
    """The round number at the top of an axis on which `most` fits: 1, 2 or 5 times a power of ten."""
    power = 10.0**-6
    while True:
        for step in _STEPS:
            if step * power >= most:
                return step * power
        power *= 10


def ticks(top: float) -> list[tuple[float, float]]:
    """The values at an axis, and how high each is: its ends and the middle."""
    return [(value, TOP + _PLOT * (1 - value / top)) for value in (0, top / 2, top)]


def hours(count: int) -> Iterator[float]:
    """Where each hour's label is, from the left."""
    width = (WIDTH - LEFT) / count
    return (LEFT + width * (number + 0.5) for number in range(count))


def bars(figures: Sequence["Hour"]) -> tuple[float, list[Bar]]:
    """The top of the axis, and a stack for each hour: errors upon what was published."""
    top = nice(max([1, *(hour.published + hour.errors for hour in figures)]))
    width = (WIDTH - LEFT) / len(figures)
    drawn = []
    for number, hour in enumerate(figures):
        below = 0
        for kind, count in (("published", hour.published), ("errors", hour.errors)):
            if count:
                height = _PLOT * count / top
                y = TOP + _PLOT * (1 - below / top) - height
                drawn.append(Bar(LEFT + number * width + _GAP / 2, y, width - _GAP, height, kind))
            below += count
    return top, drawn


def lines(figures: Sequence["Hour"]) -> tuple[float, list[Line]]:
    """The top of the axis in seconds, and the lines of median and 95th percentile; gaps where nothing ended."""
    top = nice(max([0.001, *(hour.p95 for hour in figures if hour.p95 is not None)]))
    middles = list(hours(len(figures)))
    drawn = []
    for kind in ("median", "p95"):
        values = [(x, getattr(hour, kind)) for x, hour in zip(middles, figures, strict=True)]
        for there, group in groupby(values, lambda point: point[1] is not None):
            if there:
                run = [(x, TOP + _PLOT * (1 - value / top)) for x, value in group]
                run = run if len(run) > 1 else [(run[0][0] - 4, run[0][1]), (run[0][0] + 4, run[0][1])]
                drawn.append(Line(" ".join(f"{x:.1f},{y:.1f}" for x, y in run), kind))
    return top, drawn
