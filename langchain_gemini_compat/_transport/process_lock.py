"""Process-wide lock for lazy singletons; recreated after `fork`."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


class _Lock:
    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Replace the lock. Call this in a forked child.

        If another thread held the lock during the fork, no thread of the child could release it.
        """
        self.held = threading.RLock()


_lock = _Lock()


@contextmanager
def singleton_lock() -> Generator[None]:
    """Hold the lock while a singleton is looked up or built, so that two threads do not both build it."""
    with _lock.held:
        yield


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_lock.renew)
