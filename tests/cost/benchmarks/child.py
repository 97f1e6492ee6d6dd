"""One measurement in a process of its own.

The commands:

- `cold <peer> <url>` and `memory <peer> <url> <chunks>` print a number of bytes and the number of loaded modules.
- `run <peer> <url> <reply> <verb> <times>` prints nothing. `instructions.py` counts the instructions of its process.
"""

import gc
import os
import sys
import tracemalloc
from pathlib import Path

from peers import PEERS


def cold(peer, url):
    """Import the peer without the extra `aiohttp`, construct a model and call it once.

    Print the resident memory and the number of modules. The parent process measures the CPU time.
    """
    sys.modules["httpx_aiohttp"] = None
    peer(url, "plain").call("hi")()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    print(os.sysconf("SC_PAGESIZE") * pages, len(sys.modules))


def memory(peer, url, chunks):
    """Print the peak of Python's allocations over a stream whose chunks are not kept."""
    peer(url, "text-200").stream("hi")()
    run = peer(url, f"text-{chunks}").stream("hi")
    gc.collect()
    tracemalloc.start()
    run()
    print(tracemalloc.get_traced_memory()[1], len(sys.modules))


def run(peer, url, reply, verb, times):
    """Run a case `times` times, after two runs that prepare the process."""
    once = getattr(peer(url, reply), verb)("hi")
    # The first call loads modules and opens connections. The second call is the first one that uses them.
    once()
    once()
    gc.collect()
    gc.freeze()
    for _ in range(int(times)):
        once()


if __name__ == "__main__":
    what, name, *arguments = sys.argv[1:]
    {"cold": cold, "memory": memory, "run": run}[what](
        next(peer for peer in PEERS if peer.__name__ == name), *arguments
    )
