"""Modules that are imported when one of their attributes is read.

`typing.get_type_hints` evaluates annotations in the globals of their function, and LangChain calls it on the methods of
a model (`RunnableWithFallbacks.__getattr__`). Every name of a public annotation therefore exists at run time. A
`LazyModule` takes the place of a module that is slow to import.
"""

from __future__ import annotations

from importlib import import_module


class LazyModule:
    """Stands for a module in annotations; reading an attribute imports the module.

    >>> LazyModule("json").JSONDecodeError.__name__
    'JSONDecodeError'
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> type:
        value: type = getattr(import_module(self._name), name)
        return value


class LazyHttpLibrary:
    """Stands for `httpx2` in annotations: the HTTP library under the installed openai SDK."""

    def __getattr__(self, name: str) -> type:
        value: type = getattr(import_module(library_name()), name)
        return value


def library_name() -> str:
    """Return the name of the HTTP library under the SDK: `httpx2` since openai 3, `httpx` before."""
    version: str = import_module("openai").VERSION
    return "httpx" if version.startswith(("1.", "2.")) else "httpx2"
