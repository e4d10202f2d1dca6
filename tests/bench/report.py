"""What was found, for people: a table for each benchmark."""

from rich.table import Table


def draw(found, console):
    """Show all of it."""
    for name, benchmark in found.items():
        if "figures" not in benchmark:
            continue
        console.print(_table(f"{name}: {_circumstances(benchmark)}", benchmark["figures"]))
        for what, ratio in benchmark["ratios"].items():
            if ratio:
                console.print(f"  {what}: {cell(ratio)}", highlight=False)
        console.print()


def _circumstances(benchmark):
    told = {}
    for name, value in benchmark.items():
        if isinstance(value, int | str):
            told[name] = value
        elif name == "run":
            told |= {f"{part} of a run": many for part, many in value.items()}
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in told.items())


def _table(title, figures):
    table = Table(title=title, box=None, title_justify="left")
    names = list(dict.fromkeys(name for row in figures.values() for name in row))
    table.add_column("")
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for variant, row in figures.items():
        table.add_row(variant, *(cell(row.get(name)) for name in names))
    return table


def cell(value):
    """A median, and the spread of the rounds where there were several: `312 (298-330)`."""
    if value is None:
        return "-"
    if value.get("low", value["median"]) == value.get("high", value["median"]):
        return number(value["median"])
    return f"{number(value['median'])} ({number(value['low'])}-{number(value['high'])})"


def number(value):
    """With three figures that matter, and no more."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
