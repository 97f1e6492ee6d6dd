"""Tests of the package as a whole: exports, docstrings, import cost, type hints."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import textwrap
import typing
from pathlib import Path

import openai
import pytest
from langchain_core.runnables import Runnable

import langchain_gemini_compat
from langchain_gemini_compat import ChatGeminiCompat, errors
from langchain_gemini_compat._transport.client import Transport

ROOT = Path(__file__).parents[2]
PACKAGE = Path(langchain_gemini_compat.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
#: Matches names of functions that answer a question. Such functions must not change anything.
QUESTION = re.compile(r"_*(is|has|may|can|find|get)_")
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))


def run(code):
    """Return the output of `code` in a new interpreter."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_exports_are_sorted_and_exist():
    """`__all__` lists the public names in order, and each name exists."""
    for module in (langchain_gemini_compat, errors):
        assert module.__all__ == sorted(module.__all__)
        assert all(hasattr(module, name) for name in module.__all__)


def test_public_names_are_listed_before_they_are_imported():
    """The package and its `testing` package import a public name only when it is used.

    `dir` also lists the names that are not imported yet, so that Python's prompt can complete them.
    """
    code = (
        "import sys, langchain_gemini_compat as p, langchain_gemini_compat.testing as t\n"
        "print('langchain_core' in sys.modules, set(p.__all__) <= set(dir(p)), set(t.__all__) <= set(dir(t)))\n"
        "print(p.errors.__name__, t.FakeGemini.__name__, hasattr(p, 'ChatGemini'))"
    )
    assert run(code).splitlines() == ["False True True", "langchain_gemini_compat.errors FakeGemini False"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_has_a_docstring(path):
    """Every module has a docstring."""
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_package_silences_no_check():
    """The package has no `noqa`, no `type: ignore` and no TODO."""
    marks = ("# noqa", "type: ignore", "pragma: no cover", "TODO", "FIXME")
    found = [f"{path.name}: {mark}" for path in MODULES for mark in marks if mark in path.read_text()]
    assert found == []


def find_assigning_questions(tree):
    """Return functions whose name asks a question, but which assign to attributes or items of arguments."""
    found = []
    for function in ast.walk(tree):
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)) or not QUESTION.match(function.name):
            continue
        arguments = {argument.arg for argument in ast.walk(function.args) if isinstance(argument, ast.arg)}
        targets = [node for node in ast.walk(function) if isinstance(node, (ast.Attribute, ast.Subscript))]
        assigned = [node for node in targets if not isinstance(node.ctx, ast.Load)]
        if any(name_of_root(node) in arguments for node in assigned):
            found.append(function.name)
    return found


def name_of_root(node):
    """Return `a` for `a.b["c"].d`, and `None` if the expression does not start with a name."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_function_whose_name_asks_changes_nothing(path):
    """A function named `is_…`, `has_…`, `may_…`, `can_…`, `find_…` or `get_…` does not assign to its arguments."""
    assert find_assigning_questions(ast.parse(path.read_text())) == []


def test_assigning_question_is_found():
    """The check finds assignments to attributes and items, and ignores local variables."""
    code = """
        class A:
            def _is_new(self): self.seen = True
            async def get_all(self, kept): kept["all"].count += 1
            def find(self): self.found = 1
            def can_go(self):
                local = {}
                local["a"] = self.a
        """
    assert find_assigning_questions(ast.parse(textwrap.dedent(code))) == ["_is_new", "get_all"]


@pytest.mark.parametrize(("sync", "asynchronous"), [("complete", "acomplete"), ("stream", "astream")])
def test_transport_sync_and_async_methods_take_the_same_arguments(sync, asynchronous):
    """Each async method of the transport has the parameters of its sync method."""
    one, two = inspect.signature(getattr(Transport, sync)), inspect.signature(getattr(Transport, asynchronous))
    assert one.parameters.keys() == two.parameters.keys()


@pytest.mark.parametrize(("sync", "asynchronous"), [("_generate", "_agenerate"), ("_stream", "_astream")])
def test_model_sync_and_async_methods_take_the_same_arguments(sync, asynchronous):
    """LangChain calls sync and async methods with the same arguments."""
    one = inspect.signature(getattr(ChatGeminiCompat, sync))
    two = inspect.signature(getattr(ChatGeminiCompat, asynchronous))
    assert one.parameters.keys() == two.parameters.keys()


def test_import_and_construction_load_no_client():
    """The first call loads the HTTP client, and the first error loads openai. Some modules are never loaded.

    The test imports langsmith first, because langsmith imports aiohttp if httpx-aiohttp is installed.
    """
    code = (
        "import sys, langsmith.client\n"
        "before = set(sys.modules)\n"
        "import langchain_gemini_compat as p\n"
        "p.ChatGeminiCompat(model='gemini-3.8-flash', project='p')\n"
        "names = {'openai', 'google.auth', 'grpc', 'google.protobuf', 'tiktoken', 'aiohttp'}\n"
        "print(sorted(names & (sys.modules.keys() - before)))"
    )
    assert run(code).strip() == "[]"


def test_doctests_of_the_modules_pass():
    """The examples in docstrings run and print what they say."""
    code = (
        "import doctest, importlib, pkgutil, langchain_gemini_compat as p\n"
        "names = [m.name for m in pkgutil.walk_packages(p.__path__, p.__name__ + '.') if '__main__' not in m.name]\n"
        "results = [doctest.testmod(importlib.import_module(name)) for name in names]\n"
        "print(sum(r.failed for r in results), sum(r.attempted for r in results) > 100)"
    )
    assert run(code).split()[-2:] == ["0", "True"]


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_every_test_says_what_it_shows(path):
    """A test has a docstring, or a name with at least a subject, a verb and an object."""
    tree = ast.parse(path.read_text())
    functions = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    silent = [node.name for node in functions if node.name.startswith("test_") and not ast.get_docstring(node)]
    assert [name for name in silent if name.count("_") < 3] == []


def public_modules():
    """Return the names of the package and of its modules without an underscore."""
    names = [
        module.name
        for module in pkgutil.walk_packages(langchain_gemini_compat.__path__, f"{langchain_gemini_compat.__name__}.")
    ]
    return [langchain_gemini_compat.__name__, *(name for name in names if "._" not in name)]


def functions_of(owner):
    """Yield the public functions of a class with their names, without those inherited from other packages."""
    for name in dir(owner):
        if name.startswith("_") and name not in ("__init__", "__call__", "__enter__", "__iter__"):
            continue
        value = inspect.getattr_static(owner, name)
        value = getattr(value, "__func__", None) or getattr(value, "fget", None) or getattr(value, "func", value)
        if inspect.isfunction(value) and value.__module__.startswith(langchain_gemini_compat.__name__):
            yield f"{owner.__name__}.{name}", value


def public_objects(module):
    """Yield the public names and objects of a module: those in `__all__`, or those that it defines."""
    names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
    for name in names:
        value = getattr(module, name)
        if "__all__" not in vars(module) and getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(value):
            yield name, value
            yield from functions_of(value)
        elif inspect.isfunction(value):
            yield name, value


def failures_of_hints(value):
    """Return the reasons why the annotations of `value` cannot be evaluated."""
    try:
        typing.get_type_hints(value, include_extras=True)
    except (NameError, TypeError, AttributeError) as error:
        return [str(error)]
    return []


@pytest.mark.parametrize("name", public_modules())
def test_type_hints_of_public_names_can_be_evaluated(name):
    """LangChain and other tools call `typing.get_type_hints` on public objects. Field case D1."""
    failed = []
    for label, value in public_objects(importlib.import_module(name)):
        if isinstance(value, type) and issubclass(value, openai.OpenAIError):
            # Skip openai's classes. Their annotations use a module that openai imports only for type checkers.
            continue
        failed += [f"{label}: {reason}" for reason in failures_of_hints(value)]
    assert failed == []


def test_type_hints_of_bind_tools_name_base_tool():
    """The hints name LangChain's `BaseTool` and a `Runnable`, which are loaded when the hints are read. Field case D1."""
    hints = typing.get_type_hints(ChatGeminiCompat.bind_tools)
    assert "BaseTool" in str(hints["tools"])
    assert issubclass(hints["return"], Runnable)
