"""Writes the table and the plot of the simulation into the page *Rate limits and retries*.

    uv run python tests/cost/simulation/quota_report.py

The docs build runs the simulation again and shows its result (`docs/hooks.py`).
"""

import math
import time
from html import escape
from pathlib import Path

from quota_simulation import REQUESTS, SCENARIOS, STRATEGIES, simulate_all

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "how-to" / "rate-limits.md"
PLOT = ROOT / "docs" / "images" / "shared-quota.svg"
BEGIN, END = "<!-- simulation: tests/cost/simulation/quota_report.py -->\n", "<!-- end -->"
NAMES = {"none": "no coordination", "gate": "rate gate of each process", "limiter": "`RedisRateLimiter`"}
COLOURS = {"none": "#d93025", "gate": "#f2a33c", "limiter": "#1a73e8"}
#: The first row of the table has this number of workers. Fewer workers do not exceed the quota.
FIRST_ROW = 30
WIDTH, HEIGHT, LEFT, TOP, GAP = 140, 140, 48, 70, 58


def build_report():
    """Run the simulation. Return the Markdown of the tables and the SVG of the plot."""
    figures = simulate_all()
    return "\n".join(build_table(figures, scenario) for scenario in SCENARIOS), draw_plot(figures, SCENARIOS[0])


def build_table(figures, scenario):
    """Return the table of a scenario in Markdown."""
    prompts = f"{scenario.name}, with {scenario.prompt:,} tokens on average"
    lines = [
        f"This table is for {prompts}. The limiter allows {scenario.limit:,} requests per minute:",
        "",
        "| workers | coordination | answers per minute | refused requests | failed calls | mean wait |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {workers:,} | {NAMES[strategy]} | {one.answers:,.0f} | {one.wasted:.1%} | {one.lost:.1%} | {one.wait:.1f} s |"
        for (place, workers, strategy), one in figures.items()
        if place is scenario and workers >= FIRST_ROW
    ]
    return "\n".join([*lines, ""])


def draw_plot(figures, scenario):
    """Return the plot of a scenario as SVG: panels over the number of workers, with a line for each strategy."""
    panels = (
        ("Answers per minute", REQUESTS, lambda one: one.answers),
        ("Refused requests in %", 100, lambda one: one.wasted * 100),
        ("Failed calls in %", 100, lambda one: one.lost * 100),
        ("Mean wait of a call in s", 60, lambda one: one.wait),
    )
    parts = [_text(10, 20, f"Workers that share {REQUESTS:,} requests per minute (simulation)", size=14)]
    for place, strategy in enumerate(STRATEGIES):
        x = 12 + 190 * place
        parts.append(f'<rect x="{x}" y="32" width="10" height="10" fill="{COLOURS[strategy]}"/>')
        parts.append(_text(x + 14, 41, NAMES[strategy].strip("`")))
    for place, (title, top, read) in enumerate(panels):
        x = LEFT + place * (WIDTH + GAP)
        parts += _draw_axes(x, title, top, scenario.workers)
        for strategy in STRATEGIES:
            values = [(workers, read(figures[scenario, workers, strategy])) for workers in scenario.workers]
            points = " ".join(f"{_across(x, workers):.1f},{_down(value, top):.1f}" for workers, value in values)
            parts.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[strategy]}" stroke-width="2"/>')
    width, height = LEFT + len(panels) * (WIDTH + GAP), TOP + HEIGHT + 40
    described = escape(
        "Answers, refused requests, failed calls and waiting time by number of workers. The table has the figures."
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'font-family="sans-serif" font-size="11">\n<title>{described}</title>\n'
        '<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _draw_axes(x, title, top, ticks):
    bottom = TOP + HEIGHT
    parts = [_text(x, TOP - 10, title)]
    for share in (0, 0.5, 1):
        y = bottom - share * HEIGHT
        parts.append(f'<line x1="{x}" y1="{y}" x2="{x + WIDTH}" y2="{y}" stroke="#dadce0"/>')
        parts.append(_text(x - 6, y + 4, f"{share * top:,.0f}", anchor="end"))
    marks = [one for one in ticks if math.log10(one).is_integer()]
    parts += [_text(_across(x, workers), bottom + 16, f"{workers:,}", anchor="middle") for workers in marks]
    return [*parts, _text(x + WIDTH / 2, bottom + 32, "workers", anchor="middle")]


def _across(x, workers):
    return x + WIDTH * math.log10(workers) / 3


def _down(value, top):
    return TOP + HEIGHT * (1 - min(value, top * 1.1) / top)


def _text(x, y, text, *, anchor="start", size=11):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(text)}</text>'


def insert_tables(page, tables):
    """Return the page with the tables in place of the old ones."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{tables}\n{END}{rest.partition(END)[2]}"


def main():
    began = time.process_time()
    tables, plot = build_report()
    PAGE.write_text(insert_tables(PAGE.read_text(encoding="utf-8"), tables), encoding="utf-8")
    PLOT.write_text(plot, encoding="utf-8")
    print(f"{time.process_time() - began:.0f} s of CPU")


if __name__ == "__main__":
    main()
