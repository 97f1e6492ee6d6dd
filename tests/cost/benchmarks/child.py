"""One measurement that needs a process of its own: `cold <peer> <url>` or `memory <peer> <url> <chunks>`."""

import gc
import sys
import tracemalloc

from peers import PEERS


def cold(peer, url):
    """Import, construct, ask once; the parent looks at what the process cost."""
    client = peer(url, "plain")
    client.call(client.prepare("hi"))


def memory(peer, url, chunks):
    """The peak of Python's allocations over a stream of which the caller keeps nothing, in bytes."""
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
