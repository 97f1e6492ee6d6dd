"""Placeholders for modules that are slow to import. Reading an attribute imports the module.

LangChain calls `typing.get_type_hints` on the methods of a model (`RunnableWithFallbacks.__getattr__`), which evaluates
their annotations. So each name in a public annotation must exist at run time.
"""

from __future__ import annotations

from importlib import import_module


class LazyModule:
    """A placeholder for a module in annotations.

    >>> LazyModule("json").JSONDecodeError.__name__
    'JSONDecodeError'
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> type:
        value: type = getattr(import_module(self._name), name)
        return value


class LazyHttpLibrary:
    """A placeholder for `httpx2` in annotations. It imports the HTTP library that the installed openai SDK uses."""

    def __getattr__(self, name: str) -> type:
        value: type = getattr(import_module(library_name()), name)
        return value


def library_name() -> str:
    """Return the name of the HTTP library that the openai SDK uses: `httpx2` since openai 3, `httpx` before."""
    version: str = import_module("openai").VERSION
    return "httpx" if version.startswith(("1.", "2.")) else "httpx2"
