"""Reads cassettes, and appends exchanges to them. Several threads and processes may append to the same file.

Each writer locks the file, appends complete exchanges, and updates the provenance at the head of the file.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast
from urllib.parse import urlsplit

import yaml

from langchain_gemini_compat._catalog.models import bare_model_name
from langchain_gemini_compat.testing._model.json_values import as_object, as_objects, as_text, read_path

if TYPE_CHECKING:
    from collections.abc import Generator

    from langchain_gemini_compat.testing._model.json_values import JsonObject, JsonValue

_START = b"provenance:\n"
_LIST = b"interactions:\n"
_GOOGLE = (".googleapis.com", ".vertexai.goog")
_PACKAGE = "langchain-gemini-compat"
#: The classes of PyYAML that use libyaml are ten times faster. Some builds of PyYAML have no libyaml.
_Dumper = cast("type[yaml.SafeDumper]", getattr(yaml, "CSafeDumper", yaml.SafeDumper))
_Loader = cast("type[yaml.SafeLoader]", getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@dataclass(frozen=True, slots=True)
class Cassette:
    """The content of a cassette.

    Attributes:
        interactions: The exchanges, in the order in which they ended.
        max_body: The maximum size of a body when the exchanges were recorded, in bytes, or `None`.
    """

    interactions: list[JsonObject] = field(default_factory=list["JsonObject"])
    max_body: int | None = None


def read_cassette(path: Path) -> Cassette:
    """Return the content of a cassette.

    Raises:
        ValueError: The file is not a cassette.
        OSError: The file cannot be read.
    """
    document = as_object(_load(path.read_bytes(), path))
    if "interactions" not in document:
        raise ValueError(f"{path} is not a cassette: it has no `interactions`.")
    limit = read_path(document, "provenance", "max_body")
    return Cassette(as_objects(document["interactions"]), limit if isinstance(limit, int) else None)


def start_cassette(path: Path, max_body: int | None) -> None:
    """Create an empty cassette. An older cassette is replaced.

    Raises:
        FileExistsError: The file exists and is not a cassette.
        OSError: The file cannot be written.
    """
    with _locked(path) as file:
        # A cassette begins with `provenance` and contains a list of exchanges. Check both, because another YAML file
        # may begin with `provenance`.
        if (start := file.read(2**16)) and not (start.startswith(_START) and b"\n" + _LIST[:-1] in start):
            raise FileExistsError(f"{path} is not a cassette, so it is not replaced. Choose another file.")
        file.truncate(0)
        file.write(_render_head(_describe(set(), set(), max_body)))


def append_interaction(path: Path, interaction: JsonObject, max_body: int | None) -> None:
    """Append an exchange to the cassette `path`. A missing file is created.

    Raises:
        FileExistsError: The file exists and is not a cassette.
        OSError: The file cannot be written.
    """
    text = _dump([interaction])
    host = urlsplit(as_text(read_path(interaction, "request", "uri"))).hostname or ""
    model = bare_model_name(as_text(read_path(interaction, "request", "json", "model")))
    with _locked(path) as file:
        content = file.read(2**16)
        head, mark, _ = content.partition(_LIST)
        if content and not (mark and head.startswith(_START)):
            raise FileExistsError(f"{path} is not a cassette, so nothing is added to it. Choose another file.")
        provenance = as_object(as_object(_load(head, path)).get("provenance")) if content else {}
        hosts, models = ({*as_text(provenance.get(name)).split(", ")} - {""} for name in ("hosts", "model"))
        if not content or not hosts >= {host} or not models >= {model} - {""}:
            file.seek(len(head) + len(mark))
            rest = file.read()
            file.truncate(0)
            file.write(_render_head(_describe(hosts | {host}, models | {model}, max_body)) + rest)
        file.write(text)


def _describe(hosts: set[str], models: set[str], max_body: int | None) -> JsonObject:
    """Return the provenance of a cassette. Its `kind` is `recorded` only if all answers came from Google's service."""
    names = ", ".join(sorted(hosts))
    is_google = bool(hosts) and all(host.endswith(_GOOGLE) for host in hosts)
    return {
        "kind": "recorded" if is_google else "composed",
        "source": names if is_google else f"answers of {names or 'no server'}, not of Google's service alone",
        "date": datetime.now(timezone.utc).date().isoformat(),
        "model": ", ".join(sorted(models - {""})),
        "hosts": names,
        "written_by": f"{_PACKAGE} {version(_PACKAGE)}",
        **({} if max_body is None else {"max_body": max_body}),
    }


def _render_head(provenance: JsonObject) -> bytes:
    return _dump({"provenance": provenance}) + _LIST


def _dump(value: JsonValue) -> bytes:
    """Return `value` as YAML that reads back as `value`.

    PyYAML writes some characters without escapes, but does not read them back unchanged. If `value` contains one of
    them, all characters outside of ASCII are escaped.
    """
    text = _dump_as(value, allow_unicode=True)
    if _read(text) != value:
        text = _dump_as(value, allow_unicode=False)
    return text.encode()


def _dump_as(value: JsonValue, *, allow_unicode: bool) -> str:
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=allow_unicode, width=110)
    return text


def _read(text: str | bytes) -> JsonValue:
    loader = _Loader(text)
    try:
        return cast("JsonValue", loader.get_single_data())
    finally:
        loader.dispose()


def _load(content: bytes, path: Path) -> JsonValue:
    try:
        return _read(content)
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        raise ValueError(f"{path} is not a cassette: it is not YAML ({type(err).__name__}).") from None


@contextmanager
def _locked(path: Path) -> Generator[IO[bytes]]:
    """Open the file for reading and appending, and lock it. The lock also excludes other threads."""
    with path.open("a+b") as file:
        _lock(file)
        file.seek(0)
        yield file
        # The lock ends when the file is closed.


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        # On Windows, a lock covers a range of bytes, which may be behind the end of the file. One byte there serves as
        # the lock.
        file.seek(2**30)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)
