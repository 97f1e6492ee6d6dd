"""The lock of this process for making what exists once; a forked child finds it open."""

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
        """In a child whoever held it is not there."""
        self.held = threading.RLock()


_lock = _Lock()


@contextmanager
def making() -> Generator[None]:
    """Hold the lock: threads that come together make one thing, not one each."""
    with _lock.held:
        yield


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_lock.renew)
