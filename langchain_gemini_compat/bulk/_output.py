"""Writes the output from the journal: JSONL or Parquet. A SQLite output is the journal itself."""

from __future__ import annotations

import json
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from typing import TYPE_CHECKING

from langchain_gemini_compat.bulk._database import OutputError
from langchain_gemini_compat.bulk._journal import JSON_COLUMNS

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_gemini_compat._wire.json_types import JsonValue
    from langchain_gemini_compat.bulk._database import Value
    from langchain_gemini_compat.bulk._journal import Journal

_SQLITE = (".db", ".sqlite", ".sqlite3")
_JSONL = (".jsonl", ".ndjson")
_PARQUET = ".parquet"
_ROWS_PER_GROUP = 1_000


def find_journal(path: Path) -> Path:
    """Return the path of the journal for the output `path`.

    Raises:
        OutputError: If the output cannot be written, or would replace a file of another program.
    """
    suffix = path.suffix.lower()
    if suffix in _SQLITE:
        return path
    if suffix not in (*_JSONL, _PARQUET):
        raise OutputError(f"The output `{path}` has an unknown suffix. Use .jsonl, .sqlite or .parquet.")
    if suffix == _PARQUET and find_spec("pyarrow") is None:
        raise OutputError("A Parquet file needs the package pyarrow. Run `pip install pyarrow`, or write .jsonl.")
    journal = path.with_name(f"{path.name}.journal")
    if path.exists() and not journal.exists():
        raise OutputError(f"`{path}` exists, but its journal `{journal.name}` does not. Choose another output.")
    return journal


def write_output(journal: Journal, path: Path) -> None:
    """Write the output file, unless the journal is the output. The new file replaces the old one in one step."""
    suffix = path.suffix.lower()
    if suffix in _SQLITE:
        return
    draft = path.with_name(f"{path.name}.part")
    try:
        (_write_parquet if suffix == _PARQUET else _write_jsonl)(journal, draft)
        draft.replace(path)
    except OSError as err:
        raise OutputError(
            f"`{path}` cannot be written ({err.strerror}). Check the free space of the disk, and run again. The "
            "answers are in the journal, so their rows are not sent again."
        ) from err
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()


def _write_jsonl(journal: Journal, path: Path) -> None:
    names, rows = journal.read_output()
    # The values may contain surrogates, which UTF-8 cannot encode.
    with path.open("w", encoding="utf-8", errors="replace") as lines:
        for row in rows:
            values = {name: _decode(name, value) for name, value in zip(names, row, strict=True)}
            lines.write(json.dumps(values, ensure_ascii=False) + "\n")


def _decode(name: str, value: Value) -> JsonValue:
    return json.loads(value) if name in JSON_COLUMNS and isinstance(value, str) else value


def _write_parquet(journal: Journal, path: Path) -> None:
    # pyarrow is an optional dependency without type hints.
    pa, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    types = {
        "row": pa.int64(),
        "id": pa.int64() if journal.has_only_integer_ids() else pa.string(),
        "input_tokens": pa.int64(),
        "output_tokens": pa.int64(),
        "price": pa.float64(),
    }
    names, rows = journal.read_output()
    schema = pa.schema([(name, types.get(name, pa.string())) for name in names])
    with parquet.ParquetWriter(path, schema) as writer:
        while group := list(islice(rows, _ROWS_PER_GROUP)):
            columns = dict(zip(names, map(list, zip(*group, strict=True)), strict=True))
            if schema.field("id").type == pa.string():
                columns["id"] = [None if identity is None else str(identity) for identity in columns["id"]]
            writer.write_table(pa.table(columns, schema=schema))
