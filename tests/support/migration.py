"""Reads programs that use other chat models, and changes them to use this package.

The pages in `tests/contract/migration` contain the programs. A page has one program for each class. If the fence of a
code block names classes, the block belongs only to the programs of these classes. The blocks are:

- `python`: code of the program
- `python replies`: code that defines `REPLIES`, the replies of the server, in a form that `FakeGemini` takes
- `text`: what the program prints
- `warnings`: the warnings of the program after the change to this package, one on each line
"""

import re
from dataclasses import dataclass
from pathlib import Path

from langchain_gemini_compat.testing import Call, Fault, Reply, Usage

PAGES = sorted((Path(__file__).parents[1] / "contract" / "migration").glob("*.md"))
#: The package of each class, and the surface that programs with this class use.
CLASSES = {
    "ChatOpenAI": ("langchain_openai", "ai_studio"),
    "ChatGoogleGenerativeAI": ("langchain_google_genai", "ai_studio"),
    "ChatVertexAI": ("langchain_google_vertexai", "vertex"),
    "ChatLiteLLM": ("langchain_litellm", "ai_studio"),
}
#: Maps each class that a program imports to the class of this package that replaces it.
MOVED = {
    **dict.fromkeys(CLASSES, "ChatGeminiCompat"),
    "OpenAIEmbeddings": "GeminiCompatEmbeddings",
    "GoogleGenerativeAIEmbeddings": "GeminiCompatEmbeddings",
    "LiteLLMEmbeddings": "GeminiCompatEmbeddings",
}
#: Google's base URL, as programs with `ChatOpenAI` write it.
ADDRESS = "https://generativelanguage.googleapis.com/v1beta/openai/"
#: Maps a page to a package that its programs need. Not every test environment has these packages.
NEEDED = {
    "evaluation": "openevals",
    "supervisor": "langgraph_supervisor",
    "swarm": "langgraph_swarm",
    "web_service": "fastapi",
}
_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_IMPORT = re.compile(rf"^from ({'|'.join(package for package, _ in CLASSES.values())}) import (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Program:
    """The example program of a migration page, with the replies that it gets.

    `replies` is the code that defines `REPLIES`.
    """

    code: str
    replies: str
    output: str
    warnings: str

    def read_replies(self):
        """Return new replies for a `FakeGemini`."""
        namespace = {"Call": Call, "Fault": Fault, "Reply": Reply, "Usage": Usage}
        exec(compile(f"import json\n{self.replies}", "replies", "exec"), namespace)
        return namespace["REPLIES"]


def read_program(page, name):
    """Return the program of a page for the class `name`."""
    found = {"python": "", "replies": "", "text": "", "warnings": ""}
    for language, info, code in _FENCE.findall(page.read_text(encoding="utf-8")):
        words = info.split()
        if words == ["replies"]:
            found["replies"] += code
        elif not words or name in words:
            found[language] += code
    assert found["replies"], page
    assert found["text"], page
    return Program(found["python"], found["replies"], found["text"], found["warnings"])


def run(code):
    """Run a program in a namespace of its own."""
    exec(compile(code, "program", "exec"), {"__name__": "program"})


def move(code):
    """Return the program `code` after its change to this package.

    The classes of the other packages are replaced by the classes of this package, and the prefix `gemini/` of LiteLLM's
    model names is removed. Nothing else changes.
    """
    moved = _IMPORT.sub(_move_import, code).replace('"gemini/', '"')
    return re.sub(rf"\b({'|'.join(MOVED)})\b", lambda found: MOVED[found[0]], moved)


def _move_import(line):
    """Return an import of the classes of this package that replace the imported classes.

    Other names, such as enums, are still imported from the other package.
    """
    names = [name.strip() for name in line[2].split(",")]
    ours = sorted({MOVED[name] for name in names if name in MOVED})
    others = [name for name in names if name not in MOVED]
    rest = [f"from {line[1]} import {', '.join(others)}"] if others else []
    return "\n".join([*rest, f"from langchain_gemini_compat import {', '.join(ours)}"])
