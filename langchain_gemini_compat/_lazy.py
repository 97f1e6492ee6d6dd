"""Placeholders for modules that are slow to import. The module is imported when an attribute is read.

Each name in a public annotation must exist at run time, because LangChain evaluates the annotations of a model's
methods: `RunnableWithFallbacks.__getattr__` calls `typing.get_type_hints`.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version


class LazyModule:
    """A placeholder for a module that is slow to import.

    The code that reads an attribute waits for the import, so read none on the path of a successful call. Some
    placeholders only serve annotations.

    >>> LazyModule("json").JSONDecodeError.__name__
    'JSONDecodeError'
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> type:
        value: type = getattr(import_module(self._name), name)
        return value


class LazyHttpLibrary:
    """A placeholder for the HTTP library of the installed openai SDK, for use in annotations."""

    def __getattr__(self, name: str) -> type:
        value: type = getattr(import_module(library_name()), name)
        return value


@cache
def library_name() -> str:
    """Return the name of the openai SDK's HTTP library: `httpx2` since openai 3, `httpx` in earlier versions."""
    return "httpx" if _openai_version().startswith(("1.", "2.")) else "httpx2"


def _openai_version() -> str:
    """Return the version of openai. The metadata of the installation gives it without an import of half a second."""
    if "openai" not in sys.modules:
        try:
            return version("openai")
        except PackageNotFoundError:
            # A frozen application may contain the modules without the metadata.
            pass
    found: str = import_module("openai").VERSION
    return found
