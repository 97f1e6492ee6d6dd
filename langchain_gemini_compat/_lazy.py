"""Delays imports until first use, with placeholders for modules and with lazy packages.

LangChain evaluates the annotations of a model's methods (`RunnableWithFallbacks.__getattr__` calls
`typing.get_type_hints`). So each name in a public annotation must exist at run time, at least as a placeholder.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class LazyModule:
    """A placeholder for a module that is slow to import.

    Reading an attribute of the placeholder imports the module, which takes time. So code that runs in each successful
    call must not read an attribute.

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
    """Return the version of openai.

    The version is read from the installation's metadata, because importing openai takes half a second.
    """
    if "openai" not in sys.modules:
        try:
            return version("openai")
        except PackageNotFoundError:
            # A frozen application may lack openai's metadata. Then the version is read from the module.
            pass
    found: str = import_module("openai").VERSION
    return found


def export_lazily(package: str, names: Mapping[str, str]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return the functions `__getattr__` and `__dir__` of a package that imports its public names on first use.

    Args:
        package: The name of the package.
        names: Maps each public name to the module of the package that defines it. A public module is mapped to itself.

    Returns:
        The two functions (PEP 562).
    """

    def load(name: str) -> object:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(f"{package}.{names[name]}")
        value: object = module if names[name] == name else getattr(module, name)
        vars(sys.modules[package])[name] = value
        return value

    def list_names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *names})

    return load, list_names
