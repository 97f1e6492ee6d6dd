"""Compares the documentation in the code with that of `ChatGoogleGenerativeAI`, in words, parameters and examples.

`python tests/support/docstring_figures.py` prints the figures. A test requires that no figure of this package is lower
than that of `ChatGoogleGenerativeAI`. An example is a fenced block. Its fences do not count as words.
"""

import ast
import inspect
import re
from importlib.metadata import version
from textwrap import dedent
from typing import NamedTuple

from langchain_google_genai import ChatGoogleGenerativeAI

from langchain_gemini_compat import ChatGeminiCompat

FENCE = re.compile(r"^ *```.*$", re.MULTILINE)
#: Matches the start of a parameter in the section `Args:`. `inspect.getdoc` leaves four spaces before it.
PARAMETER = re.compile(r"^    \*{0,2}\w+: ", re.MULTILINE)
ARGUMENTS = re.compile(r"^Args:\n(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)


class Figures(NamedTuple):
    """The size of the documentation of one part of a class. `names` is the number of parameters or methods."""

    names: int
    documented: int
    words: int
    examples: int


def measure_texts(texts):
    """Return the figures for `texts`, which maps the name of each parameter or method to its documentation."""
    found = {name: text for name, text in texts.items() if text}
    words = sum(len(FENCE.sub("", text).split()) for text in found.values())
    return Figures(len(texts), len(found), words, sum(len(FENCE.findall(text)) // 2 for text in found.values()))


def own_classes(model):
    """Return the base classes of `model` that belong to its package."""
    package = model.__module__.partition(".")[0]
    return [cls for cls in model.__mro__ if cls.__module__.partition(".")[0] == package]


def read_definition(cls):
    """Return the syntax tree of a class."""
    return ast.parse(dedent(inspect.getsource(cls))).body[0]


def read_parameters(model):
    """Return the documentation of each parameter.

    It comes from the section `Args:` of a constructor. Without this section, it is the text below each field.
    """
    constructor = next(node for node in ast.walk(read_definition(model)) if getattr(node, "name", "") == "__init__")
    found = read_arguments(ast.get_docstring(constructor) or "")
    if found:
        return found
    for cls in own_classes(model):
        body = read_definition(cls).body
        for field, below in zip(body, [*body[1:], None], strict=True):
            name = field.target.id if isinstance(field, ast.AnnAssign) else "_"
            if not name.startswith("_"):
                is_text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
                found.setdefault(name, below.value.value if is_text else "")
    return found


def read_arguments(docstring):
    """Return the texts of the section `Args:` by the name of the parameter."""
    section = ARGUMENTS.search(docstring)
    if section is None:
        return {}
    starts = [*PARAMETER.finditer(section[1])]
    ends = [start.start() for start in starts[1:]] + [len(section[1])]
    return {
        start[0].strip(" *:"): section[1][start.end() : end].strip() for start, end in zip(starts, ends, strict=True)
    }


def read_methods(model):
    """Return the docstring of each public method and property that the package of `model` defines."""
    found = {}
    for cls in reversed(own_classes(model)):
        for name, member in dict(vars(cls)).items():
            function = getattr(member, "fget", None) or getattr(member, "__func__", member)
            if not name.startswith("_") and inspect.isfunction(function):
                found[name] = inspect.cleandoc(function.__doc__ or "")
    return found


def measure_model(model):
    """Return the figures of the class docstring, of the parameters, and of the public methods and their parameters."""
    methods = read_methods(model)
    arguments = {
        f"{name}.{argument}": text for name, doc in methods.items() for argument, text in read_arguments(doc).items()
    }
    return {
        "class docstring": measure_texts({model.__name__: inspect.getdoc(model)}),
        "constructor parameters": measure_texts(read_parameters(model)),
        "public methods": measure_texts(methods),
        "parameters of public methods": measure_texts(arguments),
    }


def compare_models():
    """Return a dict from each part of the documentation to the `Figures` of both classes, this package's first."""
    ours, theirs = measure_model(ChatGeminiCompat), measure_model(ChatGoogleGenerativeAI)
    return {part: (ours[part], theirs[part]) for part in ours}


if __name__ == "__main__":
    print(f"ChatGeminiCompat and ChatGoogleGenerativeAI of langchain-google-genai {version('langchain-google-genai')}")
    for part, (ours, theirs) in compare_models().items():
        pairs = zip(Figures._fields, ours, theirs, strict=True)
        print(part, *(f"{field} {one}/{other}" for field, one, other in pairs), sep=" | ")
