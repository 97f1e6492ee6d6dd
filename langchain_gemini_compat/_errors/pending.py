"""Builds errors, and keeps event loops running while the first error imports openai.

The import takes half a second. What `make_error` does before the import depends on the thread:

- With a running event loop, or within `deferring_errors`, it returns a placeholder, a `PendingError`.
- Otherwise, it imports openai and returns the error.

`_model.call` catches the placeholder, imports openai in another thread, and raises the final error. Other code gets the
final error from `complete_error`, and raises it. Callers of the package never see a `PendingError`, not even as the
context of another error.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from langchain_gemini_compat._errors.base import GeminiCompatError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import ModuleType


class PendingError(GeminiCompatError):
    """A placeholder for an error whose class cannot be used before openai is imported.

    Args:
        build: A function that returns the final error. It may import openai.
    """

    def __init__(self, build: Callable[[], GeminiCompatError]) -> None:
        super().__init__()
        self.build = build

    def replace(self) -> GeminiCompatError:
        """Build the final error. Copy the cause, context, traceback and partial text of this placeholder to it."""
        error = self.build()
        error.__cause__, error.__context__ = self.__cause__, self.__context__
        error.__suppress_context__ = self.__suppress_context__
        if self.partial:
            error.partial = self.partial
        error.__traceback__, self.__traceback__ = self.__traceback__, None
        return error


class _Import:
    """State of the import of the exception classes."""

    def __init__(self) -> None:
        #: Whether the module `api` with the exception classes is imported. The module itself sets this.
        self.is_done = False
        #: Seconds that the import of `api` and openai took; 0 before the import.
        self.seconds = 0.0
        self.lock = threading.RLock()

    def run(self) -> ModuleType:
        """Return the module `api`. Import the module if it is not imported yet."""
        start, is_first = time.monotonic(), not self.is_done
        with self.lock:
            module = import_module("langchain_gemini_compat._errors.api")
        if is_first:
            self.seconds = max(self.seconds, time.monotonic() - start)
        return module


class _Thread(threading.local):
    """Whether `make_error` returns placeholders in this thread without an event loop. `deferring_errors` sets this."""

    defers_errors = False


_thread = _Thread()
_import = _Import()
if hasattr(os, "register_at_fork"):
    # Delay a fork until the import of openai has ended. Otherwise, the child would wait forever for the locks of partly
    # imported modules.
    os.register_at_fork(
        before=_import.lock.acquire, after_in_parent=_import.lock.release, after_in_child=_import.lock.release
    )


def are_classes_imported() -> bool:
    """Return whether openai and `api`, the module with the exception classes, are imported."""
    return _import.is_done


def note_classes_imported() -> None:
    """Record that the module `api` is imported. The module itself calls this function."""
    _import.is_done = True


def import_classes() -> ModuleType:
    """Return the module `api`. Import openai and the module if they are not imported yet."""
    return _import.run()


async def aimport_classes() -> None:
    """Import openai and the module `api` in another thread, if they are not imported yet."""
    if _import.is_done:
        return
    try:
        await asyncio.to_thread(import_classes)
    except RuntimeError:
        # At the end of the program, no thread can be started. So openai is imported in this thread.
        import_classes()


def import_seconds() -> float:
    """Return how many seconds the import of openai took, or 0 before the import. Time limits do not count this time."""
    return _import.seconds


@contextmanager
def deferring_errors() -> Generator[None]:
    """Let `make_error` return a `PendingError` in this thread, even without an event loop.

    Use this in a thread for whose result a caller waits until a deadline. The import of openai takes half a second, so
    the caller could miss the deadline.
    """
    before, _thread.defers_errors = _thread.defers_errors, True
    try:
        yield
    finally:
        _thread.defers_errors = before


def make_error(build: Callable[[], GeminiCompatError]) -> GeminiCompatError:
    """Return the error that `build` returns, or a `PendingError` if openai is not imported yet.

    A `PendingError` is returned only in the thread of a running event loop, or within `deferring_errors`. Elsewhere,
    this function imports openai and calls `build`.

    A `PendingError` calls `build` after the import, half a second later. So `build` must not read values that may
    change until then.
    """
    if not _import.is_done:
        if _thread.defers_errors or _runs_event_loop():
            return PendingError(build)
        import_classes()
    return build()


def complete_error(error: GeminiCompatError) -> GeminiCompatError:
    """Return the final error for a `PendingError`, after importing openai. Return any other error unchanged."""
    if not isinstance(error, PendingError):
        return error
    import_classes()
    return error.replace()


async def acomplete_error(error: GeminiCompatError) -> GeminiCompatError:
    """Async version of `complete_error`. Another thread imports openai."""
    if not isinstance(error, PendingError):
        return error
    await aimport_classes()
    return error.replace()


def _runs_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
