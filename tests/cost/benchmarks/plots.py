"""Horizontal bars as SVG, one file for each plot."""

from html import escape

from cases import AGENTS, CALLS, FIRST, LIVE, REQUESTS, STRUCTURED, TEXT, TOOLS

_COLOURS = {
    "ChatGeminiCompat": "#1a73e8",
    "ChatGeminiCompat, aiohttp": "#12a5b8",
    "ChatOpenAI": "#9aa0a6",
    "ChatGoogleGenerativeAI": "#c58af9",
    "ChatLiteLLM": "#f2a365",
}
#: Maps the file name of a plot to its title, and to pairs of a benchmark group and a prefix. The plot shows the cases
#: of this group whose names begin with this prefix.
PLOTS = {
    "agents": ("Agents and tools: CPU in ms", [(AGENTS, ""), (TOOLS, "500"), (STRUCTURED, "")]),
    "streams": ("Streams: CPU in µs per chunk", [(LIVE, ""), (TEXT, "sync, 2,000"), (TEXT, "async, 2,000")]),
    "calls": ("Calls: CPU in ms", [(CALLS, "plain"), (REQUESTS, ""), (FIRST, "")]),
    "start": ("The first answer of a process: CPU in s", [("A process, s of CPU", "")]),
}
_WIDTH, _LEFT, _BAR, _GAP = 760, 300, 14, 14


def drawn(medians):
    """Return a dict from the file name of each plot to its rows. Plots without values are left out."""
    found = {
        name: [
            (f"{group.partition(',')[0]}: {case}", bars)
            for group, start in wanted
            for case, values in medians.get(group, {}).items()
            if case.startswith(start) and (bars := {peer: values[peer] for peer in _COLOURS if peer in values})
        ]
        for name, (_, wanted) in PLOTS.items()
    }
    return {name: rows for name, rows in found.items() if rows}


def write(medians, folder):
    """Write each plot that has values into `folder`."""
    folder.mkdir(exist_ok=True)
    for name, rows in drawn(medians).items():
        (folder / f"{name}.svg").write_text(draw(PLOTS[name][0], rows), encoding="utf-8")


def draw(title, rows):
    """Return the SVG of a plot. Each row has a name and a bar for each peer. The longest bar of a row has full length."""
    lines, y = [], 34
    peers = [peer for peer in _COLOURS if any(peer in values for _, values in rows)]
    for place, peer in enumerate(peers):
        x = 10 + 185 * (place % 4)
        lines += [_rectangle(x, y, 10, 10, _COLOURS[peer]), _text(x + 14, y + 9, peer)]
        y += 18 if place % 4 == 3 or peer == peers[-1] else 0
    y += 8
    for name, values in rows:
        lines.append(_text(_LEFT - 8, y + 11 + (len(values) - 1) * _BAR / 2, name, anchor="end"))
        for peer, value in values.items():
            length = max(1, (_WIDTH - _LEFT - 70) * value / max(values.values()))
            lines += [_rectangle(_LEFT, y, length, _BAR - 2, _COLOURS[peer])]
            lines += [_text(_LEFT + length + 5, y + 10, f"{value:,.0f}" if value >= 100 else f"{value:.3g}")]
            y += _BAR
        y += _GAP
    described = escape(f"{title}. Shorter bars are better. The tables below have the figures.")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" role="img" '
        f'font-family="sans-serif" font-size="11">\n<title>{described}</title>\n'
        f'<rect width="100%" height="100%" fill="white"/>\n'
        f'<text x="10" y="20" font-size="14" font-weight="bold">{escape(title)}</text>\n'
        + "\n".join(lines)
        + "\n</svg>\n"
    )


def _rectangle(x, y, width, height, colour):
    return f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.1f}" height="{height:.0f}" fill="{colour}"/>'


def _text(x, y, text, anchor="start"):
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(text)}</text>'
