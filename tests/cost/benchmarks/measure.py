"""Measures the CPU time of this process or of a child, alternating between peers, and keeps medians.

In each round, all peers are measured one after another, and the ratio of their times is computed. Other work on the
machine changes this ratio less than the times.

Before each sample, `gc.freeze` hides all living objects from the garbage collector. Otherwise the measured time of a
peer would include garbage collection of the other peers' objects.
"""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from operator import itemgetter
from pathlib import Path
from statistics import median

#: Minimum CPU time of a sample in seconds. A short case is repeated until a sample takes this long.
_SAMPLE = 0.05
_MOST_REPEATS = 200
_MOST_ROUNDS = 15
#: Time limit of one run of a case and of one child process, in seconds.
_PATIENCE = 60
_CHILD = Path(__file__).with_name("child.py")
#: Code that hides the package `httpx_aiohttp`, as if the extra `aiohttp` were not installed. Otherwise, langsmith would
#: import the package.
_HIDE = "import sys; sys.modules['httpx_aiohttp'] = None"
#: Code that prints the resident memory of its process in bytes, and the number of loaded modules.
_TELL = "import os, sys; print(os.sysconf('SC_PAGESIZE') * int(open('/proc/self/statm').read().split()[1]), len(sys.modules))"


class Samples(dict):
    """The samples of each peer by its name, in the order of the rounds, and the errors of peers that failed."""

    def __init__(self):
        super().__init__()
        self.failures = {}

    def median(self, name):
        return median(self[name]) if self.get(name) else None

    def ratios(self, name, other):
        """Return the sorted ratios of `name` to `other` per round, or an empty list if a peer is missing."""
        if not self.get(name) or not self.get(other):
            return []
        return sorted(one / two for one, two in zip(self[name], self[other], strict=True))

    @contextmanager
    def catching(self, name):
        """Catch an exception of the peer `name`. Record it, and remove the samples of this peer."""
        try:
            with _limit():
                yield
        except Exception as err:
            self.pop(name, None)
            self.failures[name] = f"{type(err).__name__}: {err}"[:200].replace("\n", " ")


class Run:
    """A case of a peer, ready to run. An async case has an event loop of its own."""

    def __init__(self, case, peer, server):
        client = peer(server.tls_url if case.is_tls else server.url, case.reply)
        self._function = getattr(client, case.verb)(*case.args)
        self._loop = asyncio.new_event_loop() if asyncio.iscoroutinefunction(self._function) else None
        # The first run is not measured, because it loads modules and opens connections.
        self.once()
        begin = time.monotonic()
        self.once()
        self.repeats = max(1, min(_MOST_REPEATS, round(_SAMPLE / max(time.monotonic() - begin, 1e-6))))

    def once(self):
        """Run the case once. Return the seconds of CPU, or the number that the case itself returns."""
        begin = time.process_time()
        own = self._loop.run_until_complete(self._function()) if self._loop else self._function()
        return own if isinstance(own, (int, float)) else time.process_time() - begin

    def sample(self):
        """Return the mean of `repeats` runs."""
        if self.repeats > 1:
            # Run the case once without measuring it: after some idle seconds, a client has to open its connections
            # again.
            self.once()
        gc.collect()
        gc.freeze()
        return sum(self.once() for _ in range(self.repeats)) / self.repeats

    def close(self):
        if self._loop:
            # aiohttp reports sessions that were not closed. A benchmark does not have to close them.
            self._loop.set_exception_handler(lambda *_: None)
            with suppress(Exception):
                self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()


def measure_case(case, peers, server, *, seconds, least, most):
    """Measure a case with each peer for `seconds` and at least `least` rounds.

    If this takes longer than about `most` seconds, end it after the current round.
    """
    samples, runs, begin = Samples(), {}, time.monotonic()
    for peer in peers:
        if case.takes(peer):
            with samples.catching(peer.name):
                runs[peer.name] = Run(case, peer, server)
                samples[peer.name] = []
    prepared = time.monotonic()
    for number in range(_MOST_ROUNDS):
        now = time.monotonic()
        if (number >= least and now - prepared > seconds) or (number and now - begin > most):
            break
        order = list(samples)
        for name in order[number % max(1, len(order)) :] + order[: number % max(1, len(order))]:
            with samples.catching(name):
                samples[name].append(runs[name].sample() / case.units)
    for run in runs.values():
        run.close()
    runs.clear()
    gc.unfreeze()
    gc.collect()
    return samples


@contextmanager
def _limit():
    """Raise `TimeoutError` in a run that hangs."""

    def stop(*_):
        raise TimeoutError(f"no end within {_PATIENCE} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, _PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def measure_imports(peers, *, rounds, end):
    """Measure an import in a new interpreter: seconds of CPU, resident megabytes and number of modules.

    The package `httpx_aiohttp` is hidden, as in an installation without the extra `aiohttp`.
    """
    found = _run_children(peers, rounds, lambda peer: ("-c", f"{_HIDE}; import {peer.module}; {_TELL}"), end)
    return [_read(found, itemgetter(index)) for index in range(3)]


def measure_cold(peers, url, *, rounds, end):
    """Measure a process that imports the package, builds a model and gets one answer.

    Return its seconds of CPU and its resident megabytes.
    """
    found = _run_children(peers, rounds, lambda peer: (_CHILD, "cold", peer.__name__, url), end)
    return [_read(found, itemgetter(index)) for index in range(2)]


def measure_memory(peers, url, *, chunks, end):
    """Measure the peak of Python's allocations in megabytes over a stream whose chunks are not kept."""
    fast = [peer for peer in peers if not peer.is_slow]
    found = _run_children(fast, 0, lambda peer: (_CHILD, "memory", peer.__name__, url, str(chunks)), end)
    return _read(found, itemgetter(1))


def _run_children(peers, rounds, build_arguments, end):
    """Run a child process for each peer in each round. Return what the processes measured.

    If `rounds` is not 0, one more round at the start fills the caches of bytecode and files. Its figures are not kept.
    After the time `end`, a round begins only if there are no figures yet.
    """
    samples = Samples()
    for number in range(rounds + 1):
        if samples and time.monotonic() > end:
            break
        for peer in peers:
            if peer.name in samples.failures:
                continue
            with samples.catching(peer.name):
                figures = _run_child(*build_arguments(peer))
                if number or not rounds:
                    samples.setdefault(peer.name, []).append(figures)
    return samples


def _read(found, read):
    samples = Samples()
    samples.update({name: [read(figures) for figures in each] for name, each in found.items()})
    samples.failures.update(found.failures)
    return samples


def _run_child(*arguments):
    """Run a child process that prints an amount of memory in bytes and a number of modules.

    Return its seconds of CPU, the memory in megabytes, and the number of modules.
    """
    # Let the child use bytecode caches, so that it starts like a user's program at its second start.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        try:
            output = process.stdout.read()
        except BaseException:
            process.kill()
            raise
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{arguments[1:3]} ended with {process.returncode}")
    size, number = map(int, output.split()[-2:])
    return usage.ru_utime + usage.ru_stime, size / 2**20, number
