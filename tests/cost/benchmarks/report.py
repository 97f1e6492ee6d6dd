"""Writes the results of the benchmarks, and which targets were met, as Markdown, as JSON and as plots."""

import json
import os
import platform
import re
from datetime import datetime, timezone
from pathlib import Path
from statistics import median

import plots
from peers import version_of
from targets import targets_of

_ROOT = Path(__file__).parents[3]
#: The page of the documentation with the results.
PAGE = _ROOT / "docs" / "reference" / "performance.md"
#: The page for contributors. It shows the performance targets and the instruction counts.
TARGETS_PAGE = Path(__file__).parents[1] / "README.md"
_PLOTS = PAGE.parent / "performance"
_PACKAGES = ("langchain-core", "openai", "pydantic", "httpx2", "httpx", "aiohttp", "langgraph", "langsmith", "numpy")


class Report:
    """Collects the results as rows of tables, and writes them."""

    def __init__(self, peers):
        self._peers = peers
        self._rows = {}
        self._checks = []
        self._failures = []
        #: The medians that `--json` writes: by group, by case and by the package that was measured.
        self.medians = {}

    def add(self, group, name, samples, unit):
        """Add a row with the median of each peer, divided by `unit`: 0.001 converts seconds to milliseconds."""
        names = [peer.name for peer in self._peers]
        values = {one: samples.median(one) / unit for one in names if samples.get(one)}
        self._rows.setdefault(group, []).append((name, values))
        self.medians.setdefault(group, {})[name] = values
        self._failures += [f"{group}: {name}: {peer}: {text}" for peer, text in samples.failures.items()]
        self._checks += [check for target in targets_of(group, name) if (check := _check(target, name, samples, unit))]
        cells = [f"{one} {_figure(value)}" for one, value in values.items()]
        print(" | ".join([f"{group}: {name}", *cells, *samples.failures.values()]), flush=True)

    def skip(self, group, name, reason):
        """Note a case that was not measured."""
        self._failures.append(f"{group}: {name}: {reason}")

    def tables(self, minutes, *, quick):
        """Return the tables for users: medians of all peers."""
        tables = [f"### {group}\n\n{self._group(rows)}" for group, rows in self._rows.items()]
        images = [f"![{plots.PLOTS[name][0]}]({_PLOTS.name}/{name}.svg)" for name in plots.drawn(self.medians)]
        return "\n\n".join([_machine(self._peers, minutes, quick=quick), *images, *tables]) + "\n"

    def targets(self, minutes, *, quick):
        """Return the table of targets for contributors, and a list of the cases that could not be measured."""
        head = ["what", "compared with", "at most", "measured", "half of the rounds", "met"]
        met = sum(check["is_met"] for check in self._checks)
        rows = [
            [
                f"{check['group'].partition(',')[0]}: {check['case']}{', aiohttp' if 'aiohttp' in check['ours'] else ''}",
                check["peer"] or "–",
                f"{check['most']:g}",
                f"{check['measured']:.3g}",
                " to ".join(f"{one:.3g}" for one in check["spread"]),
                "yes" if check["is_met"] else "**no**",
            ]
            for check in self._checks
        ]
        machine = _machine(self._peers, minutes, quick=quick)
        text = f"{machine}\n\n{met} of {len(rows)} targets are met.\n\n{_table(head, rows)}"
        failures = "".join(f"- {line}\n" for line in self._failures)
        return f"{text}\n" + (f"\nNot measured:\n\n{failures}" if failures else "")

    def write_pages(self, minutes, *, quick):
        """Write the tables and plots into the pages."""
        write_between(PAGE, "results", self.tables(minutes, quick=quick))
        write_between(TARGETS_PAGE, "targets", self.targets(minutes, quick=quick))
        plots.write(self.medians, _PLOTS)

    def write_json(self, path):
        """Write medians and ratios, to compare two commits."""
        found = {"medians": self.medians, "targets": self._checks, "failures": self._failures}
        Path(path).write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")

    def compare(self, path):
        """Return a table of the targets with the values of this run and of an earlier run, saved with `--json`."""
        before = json.loads(Path(path).read_text(encoding="utf-8"))["targets"]
        old = {(one["group"], one["case"], one["peer"], one["ours"]): one["measured"] for one in before}
        rows = [
            [f"{check['group']}: {check['case']}", check["ours"], f"{was:.3g}", f"{check['measured']:.3g}"]
            for check in self._checks
            if (was := old.get((check["group"], check["case"], check["peer"], check["ours"]))) is not None
        ]
        return _table(["what", "of", "before", "now"], rows)

    def _group(self, rows):
        """Return the table of a group of cases. A package without a measured value in the group has no column."""
        names = [peer.name for peer in self._peers if any(peer.name in values for _, values in rows)]
        cells = [[title, *(_figure(values.get(name)) for name in names)] for title, values in rows]
        return _table(["", *names], cells)


def write_between(path, mark, text):
    """Write `text` between the markers of the page."""
    marked = re.compile(f"(<!-- {mark} -->\n).*(<!-- end of {mark} -->)", re.DOTALL)
    page = path.read_text(encoding="utf-8")
    path.write_text(marked.sub(lambda found: f"{found[1]}\n{text}\n{found[2]}", page), encoding="utf-8")


def _check(target, name, samples, unit):
    """Return a target with its measured value, or `None` if a package that the target needs was not measured."""
    if target.peer:
        found = samples.ratios(target.ours, target.peer)
    else:
        found = sorted(value / unit for value in samples.get(target.ours, ()))
    if not found:
        return None
    quarter = len(found) // 4
    return {
        "group": target.group,
        "case": name,
        "ours": target.ours,
        "peer": target.peer,
        "most": target.most,
        "measured": median(found),
        "spread": [found[quarter], found[-1 - quarter]],
        "is_met": median(found) <= target.most,
    }


def _machine(peers, minutes, *, quick):
    found = dict.fromkeys([*_PACKAGES, *(peer.package for peer in peers)])
    versions = ", ".join(f"{package} {version}" for package in found if (version := version_of(package)))
    day = datetime.now(timezone.utc).date()
    processor = f"{_processor()}, {os.cpu_count()} cores" if _processor() else f"{os.cpu_count()} cores"
    kind = "quick run" if quick else "run"
    return (
        f"{day}, a {kind} of {minutes:.0f} minutes. {platform.system()} on {platform.machine()}, {processor}, load "
        f"{os.getloadavg()[0]:.1f}. {platform.python_implementation()} {platform.python_version()}, bytecode caches on; "
        f"{versions}."
    )


def _processor():
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    found = re.search(r"model name\s*: (.*)", text)
    return found[1].strip() if found else ""


def _figure(value):
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
