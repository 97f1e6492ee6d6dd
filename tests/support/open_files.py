"""Counts the open files of this process, and waits until servers of the same process have closed theirs."""

import gc
import time
from pathlib import Path


def open_files():
    """Return the number of open files after a garbage collection."""
    gc.collect()
    return len(list(Path("/dev/fd").iterdir()))


def wait_for_files(most):
    """Return the number of open files as soon as it is at most `most`, or after 30 seconds.

    After a client has closed a connection, the server in this process needs a moment to close its own end.
    """
    for _ in range(600):
        if open_files() <= most:
            break
        time.sleep(0.05)
    return open_files()
