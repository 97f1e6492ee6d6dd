"""Writes the inventories that the API pages link other packages' names by: `python docs/inventories/write.py`.

The real inventories are on the sites of Python and LangChain, which a build without internet cannot read. These contain
the names that this package's signatures and docstrings use.
"""

import zlib
from pathlib import Path

HERE = Path(__file__).parent
BUILTINS = {
    "library/functions.html": ["bool", "float", "int", "object", "type"],
    "library/stdtypes.html": ["bytes", "dict", "list", "set", "str", "tuple", "range"],
    "library/exceptions.html": [
        "AssertionError",
        "AttributeError",
        "Exception",
        "ImportError",
        "OSError",
        "RuntimeError",
        "TypeError",
        "UserWarning",
        "ValueError",
    ],
    "library/collections.abc.html": [
        f"collections.abc.{name}"
        for name in (
            "AsyncIterator",
            "Awaitable",
            "Callable",
            "Generator",
            "Iterable",
            "Iterator",
            "Mapping",
            "Sequence",
        )
    ],
    "library/contextlib.html": ["contextlib.AbstractContextManager"],
    "library/datetime.html": ["datetime.timedelta"],
    "library/types.html": ["types.MappingProxyType"],
    "library/typing.html": ["typing.Any", "typing.Literal", "typing.Self", "typing.TypedDict"],
}
PYTHON = {name: f"{page}#{name}" for page, names in BUILTINS.items() for name in names}
#: For each name, the module that defines it.
DEFINED = {
    **{
        f"langchain_core.exceptions.{name}": "langchain_core.exceptions"
        for name in (
            "ContextOverflowError",
            "ModelAPIError",
            "ModelAuthenticationError",
            "ModelConnectionError",
            "ModelError",
            "ModelInvalidRequestError",
            "ModelNotFoundError",
            "ModelPermissionDeniedError",
            "ModelRateLimitError",
            "ModelTimeoutError",
            "OutputParserException",
        )
    },
    "langchain_core.embeddings.Embeddings": "langchain_core.embeddings.embeddings",
    "langchain_core.language_models.base.LanguageModelInput": "langchain_core.language_models.base",
    "langchain_core.language_models.chat_models.BaseChatModel": "langchain_core.language_models.chat_models",
    "langchain_core.messages.AIMessage": "langchain_core.messages.ai",
    "langchain_core.messages.BaseMessage": "langchain_core.messages.base",
    "langchain_core.runnables.Runnable": "langchain_core.runnables.base",
    "langchain_core.tools.BaseTool": "langchain_core.tools.base",
}
LANGCHAIN = {
    name: f"{module}.{name.rpartition('.')[2]}".replace("langchain_core", "langchain-core", 1).replace(".", "/")
    for name, module in DEFINED.items()
}


def build_inventory(project: str, places: dict[str, str]) -> bytes:
    """Return an inventory in Sphinx' format: a header, and a compressed line for each name."""
    header = f"# Sphinx inventory version 2\n# Project: {project}\n# Version: 0\n"
    lines = "".join(f"{name} py:class 1 {place} -\n" for name, place in sorted(places.items()))
    note = "# The remainder of this file is compressed using zlib.\n"
    return (header + note).encode() + zlib.compress(lines.encode(), 9)


def main() -> None:
    """Write both inventories."""
    (HERE / "python.inv").write_bytes(build_inventory("Python", PYTHON))
    (HERE / "langchain.inv").write_bytes(build_inventory("LangChain", LANGCHAIN))


if __name__ == "__main__":
    main()
