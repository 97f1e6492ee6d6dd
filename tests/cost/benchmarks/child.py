"""One measurement in a process of its own: `cold <peer> <url>` or `memory <peer> <url> <chunks>`."""

import gc
import sys
import tracemalloc

from peers import PEERS


def cold(peer, url):
    """Import, construct and call once. The parent measures the process."""
    client = peer(url, "plain")
    client.call(client.prepare("hi"))


def memory(peer, url, chunks):
    """Return the peak of Python's allocations in bytes over a stream whose chunks are not kept."""
    warm = peer(url, "text-200")
    warm.stream(warm.prepare("hi"))
    client = peer(url, f"text-{chunks}")
    messages = client.prepare("hi")
    gc.collect()
    tracemalloc.start()
    client.stream(messages)
    print(tracemalloc.get_traced_memory()[1])


if __name__ == "__main__":
    what, name, *arguments = sys.argv[1:]
    {"cold": cold, "memory": memory}[what](next(peer for peer in PEERS if peer.__name__ == name), *arguments)
