"""Growth curves as SVG, both axes logarithmic: what grows with the table is a slope, what does not is flat."""

from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 40, 50
COLOURS = ("#1f6feb", "#d1622b", "#2f8f4e", "#8a4fbf", "#b0303f", "#5f6b7a")

_PAGE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{title}"
  font-family="system-ui, sans-serif" font-size="12" fill="#24292f">
<rect width="{width}" height="{height}" fill="#fff"/>
<text x="{left}" y="22" font-size="15" font-weight="600">{title}</text>
{grid}
{lines}
<text x="{middle}" y="{foot}" text-anchor="middle">{across}</text>
<text x="16" y="{centre}" text-anchor="middle" transform="rotate(-90 16 {centre})">{up}</text>
</svg>
"""


def curves(title, lines, across, up):
    """A plot as SVG.

    Args:
        title: what it shows.
        lines: points (x, y), all above zero, by the name of the line.
        across, up: what the axes are, with units.
    """
    points = [point for line in lines.values() for point in line]
    columns, rows = _decades(x for x, _ in points), _decades(y for _, y in points)

    def place(x, y):
        return (
            LEFT + _share(x, columns) * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - _share(y, rows) * (HEIGHT - TOP - BOTTOM),
        )

    return _PAGE.format(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        middle=(LEFT + WIDTH - RIGHT) / 2,
        centre=(TOP + HEIGHT - BOTTOM) / 2,
        foot=HEIGHT - 12,
        title=escape(title),
        across=escape(across),
        up=escape(up),
        grid="\n".join(_grid(columns, rows, place)),
        lines="\n".join(_lines(lines, place)),
    )


def _decades(values):
    """The powers of ten that hold all values: from, to; a decade at least."""
    logs = [log10(value) for value in values]
    low = floor(min(logs))
    return low, max(ceil(max(logs)), low + 1)


def _share(value, decades):
    return (log10(value) - decades[0]) / (decades[1] - decades[0])


def _grid(columns, rows, place):
    for power in range(columns[0], columns[1] + 1):
        x, y = place(10**power, 10 ** rows[0])
        yield f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{y:.1f}" stroke="#d8dee4"/>'
        yield f'<text x="{x:.1f}" y="{y + 18:.1f}" text-anchor="middle">{10**power:,}</text>'
    for power in range(rows[0], rows[1] + 1):
        x, y = place(10 ** columns[0], 10**power)
        yield f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#d8dee4"/>'
        yield f'<text x="{x - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">{10**power:,g}</text>'


def _lines(lines, place):
    drawn = [(name, [place(*point) for point in line]) for name, line in lines.items()]
    labels = _apart([line[-1][1] for _, line in drawn])
    for number, ((name, line), label) in enumerate(zip(drawn, labels, strict=True)):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in line)
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in line)
        yield f'<text x="{line[-1][0] + 8:.1f}" y="{label + 4:.1f}" fill="{colour}">{escape(name)}</text>'


def _apart(heights, least=15):
    """The heights, moved down as far as needed to be read one by one."""
    moved, last = list(heights), float("-inf")
    for place in sorted(range(len(heights)), key=heights.__getitem__):
        moved[place] = last = max(heights[place], last + least)
    return moved
