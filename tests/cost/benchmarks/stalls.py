"""Measures for how long one callback holds an event loop, in CPU time of its thread."""

import asyncio
import time
from contextlib import contextmanager
from types import SimpleNamespace


@contextmanager
def watch_stalls():
    """Yield an object whose `longest` is the time of the longest callback so far, in seconds."""
    found = SimpleNamespace(longest=0.0, steps=0)
    run = asyncio.Handle._run

    def measure(handle):
        begin = time.thread_time()
        try:
            run(handle)
        finally:
            found.longest = max(found.longest, time.thread_time() - begin)

    asyncio.Handle._run = measure
    try:
        yield found
    finally:
        asyncio.Handle._run = run
