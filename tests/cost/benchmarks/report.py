"""Results as Markdown: the machine, a table for each group, and each target with its ratio."""

import os
import platform
import re
from datetime import datetime, timezone
from pathlib import Path
from statistics import median

from peers import version_of
from targets import OURS, targets_of

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "performance.md"
_MARKED = re.compile(r"(<!-- results -->\n).*(<!-- end of results -->)", re.DOTALL)
_PACKAGES = ("langchain-core", "openai", "pydantic", "httpx2", "httpx", "langsmith")


class Report:
    """Collects rows. `text` is the page when all rows are added."""

    def __init__(self, peers):
        self._peers = peers
        self._rows = {}
        self._checks = []

    def add(self, group, name, samples, unit):
        """Add one row. `unit` is the table's unit in units of the samples."""
        cells = {peer.name: _figure(samples.median(peer.name), unit) for peer in self._peers if peer.name in samples}
        self._rows.setdefault(group, []).append([name, cells])
        for peer, most in targets_of(group, name):
            ratios = samples.ratios(OURS, peer)
            if ratios:
                self._checks.append(
                    [group.partition(",")[0], name, peer, f"{most:g}", *_spread(ratios), median(ratios) <= most]
                )
        print(" | ".join([f"{group}: {name}", *cells.values()]), flush=True)

    def text(self, minutes, *, quick):
        tables = [f"### {group}\n\n{self._group(rows)}" for group, rows in self._rows.items()]
        met = sum(check[-1] for check in self._checks)
        checks = [[*check[:-1], "yes" if check[-1] else "**no**"] for check in self._checks]
        head = ["what", "case", "compared with", "at most", "measured", "half of the rounds", "met"]
        verdict = f"### Promises\n\n{met} of {len(checks)} are met in this run.\n\n{_table(head, checks)}"
        return "\n\n".join([_machine(self._peers, minutes, quick=quick), verdict, *tables]) + "\n"

    def _group(self, rows):
        """Return the table of a group. Peers without a value have no column."""
        names = [peer.name for peer in self._peers if any(peer.name in cells for _, cells in rows)]
        return _table(["", *names], [[title, *(cells.get(name, "–") for name in names)] for title, cells in rows])


def write_page(text):
    """Write `text` between the markers of the page."""
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(_MARKED.sub(lambda found: f"{found[1]}\n{text}\n{found[2]}", page), encoding="utf-8")


def _machine(peers, minutes, *, quick):
    found = dict.fromkeys([*_PACKAGES, *(peer.package for peer in peers)])
    versions = ", ".join(f"{package} {version}" for package in found if (version := version_of(package)))
    day = datetime.now(timezone.utc).date()
    processor = f"{_processor()}, {os.cpu_count()} cores" if _processor() else f"{os.cpu_count()} cores"
    kind = "quick run" if quick else "run"
    return (
        f"{day}, a {kind} of {minutes:.0f} minutes. {platform.system()} on {platform.machine()}, {processor}, load "
        f"{os.getloadavg()[0]:.1f}. {platform.python_implementation()} {platform.python_version()}; {versions}."
    )


def _processor():
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    found = re.search(r"model name\s*: (.*)", text)
    return found[1].strip() if found else ""


def _figure(value, unit):
    if value is None:
        return "–"
    value /= unit
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _spread(ratios):
    """Return the median and the interquartile range."""
    quarter = len(ratios) // 4
    return f"{median(ratios):.3g}", f"{ratios[quarter]:.3g} to {ratios[-1 - quarter]:.3g}"


def _table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
