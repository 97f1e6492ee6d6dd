"""Measures the CPU time of this process or of a child, alternating between peers, and keeps medians.

Other work on the machine changes a ratio less than a time, so ratios are taken per round.
"""

import gc
import os
import subprocess
import sys
import time
from operator import itemgetter
from pathlib import Path
from statistics import median

#: Fewest seconds of CPU per sample; short cases are repeated.
_SAMPLE = 0.05
_MOST_REPEATS = 200
_MOST_ROUNDS = 15
_CHILD = Path(__file__).with_name("child.py")


class Samples(dict):
    """The samples of each peer by its name, in the order of the rounds."""

    def median(self, name):
        return median(self[name]) if self.get(name) else None

    def ratios(self, name, other):
        """Return the sorted ratios of `name` to `other` per round, or an empty list if a peer is missing."""
        if not self.get(name) or not self.get(other):
            return []
        return sorted(one / two for one, two in zip(self[name], self[other], strict=True))


def measure_case(case, peers, url, *, seconds, least):
    """Measure the seconds of CPU per unit, for `seconds` and for at least `least` rounds."""
    runs = {peer.name: case.prepare(peer, url) for peer in peers if case.takes(peer)}
    repeats = {name: _repeats(run) for name, run in runs.items()}
    samples = Samples({name: [] for name in runs})
    begin = time.monotonic()
    order = list(runs)
    for number in range(_MOST_ROUNDS):
        if number >= least and time.monotonic() - begin > seconds:
            break
        for name in order[number % len(order) :] + order[: number % len(order)]:
            gc.collect()
            if repeats[name] > 1:
                # A client reopens connections that were idle for some seconds, which is another case.
                runs[name]()
            samples[name].append(_time(runs[name], repeats[name]) / case.units)
    return samples


def _repeats(run):
    """Return the runs per sample. The first run is not counted, since it loads modules."""
    first = _time(run, 1)
    if first > 1:
        return 1
    return max(2, min(_MOST_REPEATS, round(_SAMPLE / max(_time(run, 1), 1e-6))))


def _time(run, repeats):
    begin = time.process_time()
    for _ in range(repeats):
        run()
    return (time.process_time() - begin) / repeats


def measure_imports(peers, *, rounds):
    """Measure an import in a new interpreter: seconds of CPU, resident megabytes and modules."""
    code = "import sys, {}\nprint(len(sys.modules))"
    found = [(peer.name, _run_child("-c", code.format(peer.module))) for peer in peers * (rounds + 1)]
    return [_collect(found, len(peers), read) for read in (itemgetter(0), itemgetter(1), lambda child: int(child[2]))]


def measure_cold(peers, url, *, rounds):
    """Measure the seconds of CPU of a process that imports, constructs and gets one answer."""
    found = [(peer.name, _run_child(_CHILD, "cold", peer.__name__, url)) for peer in peers * (rounds + 1)]
    return _collect(found, len(peers), itemgetter(0))


def measure_memory(peers, url, *, chunks):
    """Measure the peak of Python's allocations in megabytes over a stream whose chunks are not kept."""
    fast = [peer for peer in peers if not peer.is_slow]
    found = [(peer.name, _run_child(_CHILD, "memory", peer.__name__, url, str(chunks))) for peer in fast]
    return _collect(found, 0, lambda child: int(child[2]) / 2**20)


def _collect(found, skipped, read):
    """Return samples by name without the first round, which fills the caches of bytecode and of the file system."""
    samples = Samples()
    for name, child in found[skipped:]:
        samples.setdefault(name, []).append(read(child))
    return samples


def _run_child(*arguments):
    """Run a child. Return its seconds of CPU, its peak of resident megabytes, and its output."""
    with subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ.copy()
    ) as process:
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{arguments} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output
