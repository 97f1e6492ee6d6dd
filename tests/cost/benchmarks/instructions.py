"""Instruction counts, which do not depend on other work of the machine: `python tests/cost/benchmarks/instructions.py`.

Each count is the difference of two runs of a child process under `valgrind --tool=cachegrind` (Debian: `apt-get install
valgrind`). One run has more calls or longer streams than the other. The difference does not contain work that is the
same in both runs, such as the start and the imports.

Only the client is counted. A child takes about a minute. `--write` puts the report into `tests/cost/README.md`.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import server
from peers import PEERS, version_of
from report import TARGETS_PAGE, write_between

_CHILD = Path(__file__).with_name("child.py")
_COUNT = re.compile(r"I\s+refs:\s+([\d,]+)")
OURS = "Ours"
#: Time limit of a child process, in seconds.
_PATIENCE = 900


@dataclass(frozen=True)
class Row:
    """One benchmark with two runs. The longer run has `units` more chunks or calls than the shorter run."""

    name: str
    verb: str
    #: The two runs. Each has the name of its reply, and its number of requests without the two warm-up requests.
    shorter: tuple
    longer: tuple
    units: int
    peers: tuple
    #: Pairs of a peer's name and the highest allowed ratio of our instruction count to the peer's.
    targets: tuple


ROWS = (
    Row(
        "text chunk, sync",
        "stream",
        # A child process streams its reply three times: two warm-up streams, and the one of this row.
        ("text-200", 1),
        ("text-2000", 1),
        3 * 1_800,
        ("Constructors", "Bound", OURS, "RawSdk", "TypedSdk", "OpenAIChat"),
        (("OpenAIChat", 0.165), ("Bound", 1.25)),
    ),
    Row(
        "plain call, sync",
        "call",
        ("plain", 1),
        ("plain", 21),
        20,
        ("Bound", OURS, "TypedSdk", "OpenAIChat"),
        (("OpenAIChat", 0.48),),
    ),
    Row(
        "argument chunk, sync, 2 × 100",
        "stream",
        ("tools-2-100", 1),
        ("tools-2-100", 3),
        404,
        (OURS, "TypedSdk", "OpenAIChat"),
        (),
    ),
)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the report into tests/cost/README.md")
    parser.add_argument("--only", default="", help="only rows whose name holds this")
    parser.add_argument("--peers", default="", help="only these, by class name, comma between")
    parser.add_argument("--tool", choices=["cachegrind", "perf"], default="cachegrind", help="what counts")
    options = parser.parse_args()
    program = {"cachegrind": "valgrind", "perf": "perf"}[options.tool]
    if not shutil.which(program):
        parser.error(f"`{program}` is not installed")
    chosen = options.peers.split(",") if options.peers else [peer.__name__ for peer in PEERS]
    parts = []
    with server.start() as running:
        for row in ROWS:
            if options.only in row.name:
                names = [name for name in row.peers if name in chosen and _find(name).is_installed()]
                parts.append(_describe(row, _count_all(row, names, running.url, options.tool)))
    versions = ", ".join(
        f"{package} {version_of(package)}" for package in ("langchain-core", "openai", "pydantic", "httpx2", "jiter")
    )
    python = ".".join(map(str, sys.version_info[:3]))
    text = "\n\n".join([f"Counted by {program} on {time.strftime('%Y-%m-%d')}: Python {python}, {versions}.", *parts])
    print(text)
    if options.write:
        write_between(TARGETS_PAGE, "instructions", f"{text}\n")


def _find(name):
    return next(peer for peer in PEERS if peer.__name__ == name)


def _count_all(row, names, url, tool):
    """Return the instructions per chunk or call for each client in `names`, or the error if the client failed."""
    found = {}
    for name in names:
        try:
            few, many = (_count(row, name, url, size, tool) for size in (row.shorter, row.longer))
            found[name] = (many - few) / row.units
        except (OSError, RuntimeError, subprocess.SubprocessError) as err:
            found[name] = str(err)[:200]
        print(row.name, name, found[name], flush=True)
    return found


def _count(row, name, url, size, tool):
    """Run a child process, and return the number of its instructions. `size` is `row.shorter` or `row.longer`."""
    reply, times = size
    command = [sys.executable, str(_CHILD), "run", name, url, reply, row.verb, str(times)]
    # With a constant hash seed, dictionaries and sets have equal collisions in all runs, so the counts are comparable.
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    # The first run writes the bytecode caches. Only the second run is counted.
    subprocess.run(command, check=True, capture_output=True, env=environment, timeout=_PATIENCE)
    with tempfile.TemporaryDirectory() as folder:
        if tool == "perf":
            options = ["perf", "stat", "-x,", "-e", "instructions:u"]
        else:
            options = ["valgrind", "--tool=cachegrind", "--cache-sim=no", f"--cachegrind-out-file={folder}/out"]
        child = subprocess.run([*options, *command], capture_output=True, text=True, env=environment, timeout=_PATIENCE)
    if child.returncode:
        raise RuntimeError(f"the child ended with {child.returncode}: {child.stderr[-200:]}")
    if tool == "perf":
        return int(child.stderr.split(",", maxsplit=1)[0])
    return int(_COUNT.search(child.stderr)[1].replace(",", ""))


def _describe(row, found):
    """Return the Markdown for a row: a table of the counts, and whether each target is met."""
    lines = [f"**{row.name}**", "", "| | instructions |", "| --- | --- |"]
    for name, value in found.items():
        lines.append(f"| {_find(name).name} | {value if isinstance(value, str) else f'{value:,.0f}'} |")
    ours = found.get(OURS)
    for peer, most in row.targets:
        other = found.get(peer)
        if isinstance(ours, float) and isinstance(other, float):
            verdict = "met" if ours / other <= most else "**not met**"
            lines += ["", f"Ratio to {_find(peer).name}: {ours / other:.3f}. Target: at most {most:g}, {verdict}."]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
