"""Stores what `BatchApiEngine` needs after a crash: each unfinished batch, and its rows without an outcome.

The state is a SQLite file beside the output. A batch is created only after the file with its rows is synced to the
disk, and the file is synced again afterwards. So no batch is created twice, even after a power failure.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from langchain_core.messages import message_to_dict

from langchain_gemini_compat.bulk._database import Database
from langchain_gemini_compat.bulk._rows import Row, read_content

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from typing_extensions import Self

    from langchain_gemini_compat._wire.json_types import JsonObject

_CREATE = (
    "CREATE TABLE IF NOT EXISTS parts (part INTEGER PRIMARY KEY, file TEXT NOT NULL, intended REAL, batch TEXT)",
    (
        "CREATE TABLE IF NOT EXISTS requests (part INTEGER, position INTEGER, key TEXT NOT NULL UNIQUE, "
        "number INTEGER, identity TEXT, content TEXT NOT NULL, PRIMARY KEY (part, position)) WITHOUT ROWID"
    ),
    "CREATE TEMP TABLE wanted (key TEXT PRIMARY KEY)",
    "CREATE TEMP TABLE settled (key TEXT PRIMARY KEY)",
)
_SELECT = "SELECT number, identity, key, content FROM requests WHERE part = ?"


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one batch.

    Attributes:
        number: The number of the part.
        file: The uploaded file with the requests.
        intended: Time just before the request that creates the batch, in seconds since 1970. `None` if no such request
            was sent, or if the server has refused it.
        batch: The id of the batch, or `None` if it is not known.
    """

    number: int
    file: str
    intended: float | None
    batch: str | None


class BatchState:
    """The state of all batches for one output.

    Attributes:
        path: The file with the state.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the file.

        Raises:
            OutputError: If the file cannot be used.
        """
        self.path = path
        self._database = Database(path, _describe_failure)
        with self._database.closing_on_error():
            self._database.execute("PRAGMA synchronous = FULL")
            with self._database.transaction():
                for statement in _CREATE:
                    self._database.execute(statement)
            self._forget_unsent()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._forget_unsent()
            is_empty = self._database.execute("SELECT 1 FROM parts LIMIT 1").fetchone() is None
        finally:
            self._database.close()
        if is_empty:
            with suppress(OSError):
                self.path.unlink()

    def want(self, row: Row) -> bool:
        """Record that this run wants the outcome of `row`. Return whether `row` was already put into a batch."""
        self._database.execute("INSERT OR IGNORE INTO wanted VALUES (?)", (row.key,))
        # When a row of a batch gets its outcome during this run, it moves from `requests` to `settled`. So both tables
        # are searched.
        statement = "SELECT 1 FROM requests WHERE key = ? UNION ALL SELECT 1 FROM settled WHERE key = ?"
        return self._database.execute(statement, (row.key, row.key)).fetchone() is not None

    def add_part(self, file: str, rows: Sequence[Row]) -> Part:
        """Store the rows of a batch, in the order of their requests in the uploaded `file`."""
        with self._database.transaction():
            (part,) = self._database.execute("SELECT coalesce(max(part), 0) + 1 FROM parts").fetchone()
            self._database.execute("INSERT INTO parts VALUES (?, ?, NULL, NULL)", (part, file))
            for position, row in enumerate(rows):
                values = (part, position, row.key, row.number, json.dumps(row.id), json.dumps(describe_row(row)))
                self._database.execute("INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?)", values)
        return Part(part, file, None, None)

    def note_intent(self, part: Part, now: float | None) -> Part:
        """Record when the batch of `part` is requested. `None` as `now` means that the server refused the request."""
        self._database.execute("UPDATE parts SET intended = ? WHERE part = ?", (now, part.number))
        return Part(part.number, part.file, now, None)

    def note_batch(self, part: Part, batch: str) -> Part:
        """Record the id of the batch of `part`."""
        self._database.execute("UPDATE parts SET batch = ? WHERE part = ?", (batch, part.number))
        return Part(part.number, part.file, part.intended, batch)

    def read_parts(self) -> list[Part]:
        """Return all parts."""
        return [
            Part(*found)
            for found in self._database.execute("SELECT part, file, intended, batch FROM parts ORDER BY part")
        ]

    def read_part(self, number: int) -> Part:
        """Return the part with this number."""
        statement = "SELECT part, file, intended, batch FROM parts WHERE part = ?"
        return Part(*self._database.execute(statement, (number,)).fetchone())

    def has_wanted_rows(self, part: Part) -> bool:
        """Return whether `part` has rows that have no outcome yet and that this run wants."""
        statement = "SELECT 1 FROM requests JOIN wanted USING (key) WHERE part = ? LIMIT 1"
        return self._database.execute(statement, (part.number,)).fetchone() is not None

    def has_rows(self, part: Part) -> bool:
        """Return whether `part` has rows that have no outcome yet, including rows that this run does not want."""
        return (
            self._database.execute("SELECT 1 FROM requests WHERE part = ? LIMIT 1", (part.number,)).fetchone()
            is not None
        )

    def find(self, part: Part, position: int) -> Row | None:
        """Return the row at `position`, or `None` if it has an outcome."""
        found = self._database.execute(f"{_SELECT} AND position = ?", (part.number, position)).fetchone()
        return None if found is None else _read_row(found)

    def read_rows(self, part: Part, count: int) -> list[Row]:
        """Return the first `count` rows of `part` that have no outcome."""
        found = self._database.execute(f"{_SELECT} ORDER BY position LIMIT ?", (part.number, count)).fetchall()
        return [_read_row(one) for one in found]

    def drop_rows(self, rows: Sequence[Row]) -> None:
        """Forget rows that have an outcome."""
        with self._database.transaction():
            for row in rows:
                self._database.execute("DELETE FROM requests WHERE key = ?", (row.key,))
                self._database.execute("INSERT OR IGNORE INTO settled VALUES (?)", (row.key,))

    def drop_answered(self, has_answer: Callable[[str], bool]) -> None:
        """Delete the rows that have an answer in the journal. A run that died before `drop_rows` can leave such rows.

        Rows with an error in the journal stay, because they may have been sent again after the error.
        """
        keys = [key for (key,) in self._database.execute("SELECT key FROM requests") if has_answer(key)]
        with self._database.transaction():
            for key in keys:
                self._database.execute("DELETE FROM requests WHERE key = ?", (key,))
            self._database.execute("DELETE FROM parts WHERE part NOT IN (SELECT part FROM requests)")

    def drop_part(self, part: Part) -> None:
        """Forget a part whose outcomes are complete, or whose batch does not exist."""
        with self._database.transaction():
            self._database.execute("DELETE FROM requests WHERE part = ?", (part.number,))
            self._database.execute("DELETE FROM parts WHERE part = ?", (part.number,))

    def _forget_unsent(self) -> None:
        """Delete the parts for which no request to create a batch was sent, or the server refused this request."""
        for part in self.read_parts():
            if part.intended is None and part.batch is None:
                self.drop_part(part)


def describe_row(row: Row) -> JsonObject:
    """Return `row` as the JSON object that a line of the input would contain."""
    question = row.question
    asked = {"prompt": question} if isinstance(question, str) else {"messages": [*map(message_to_dict, question)]}
    return cast("JsonObject", {**asked, **row.options})


def _read_row(found: tuple[int, str, str, str]) -> Row:
    number, identity, key, content = found
    question, options = read_content(cast("JsonObject", json.loads(content)))
    return Row(number, json.loads(identity), key, question, options)


def _describe_failure(path: Path, err: sqlite3.Error) -> str:
    if "locked" in str(err):
        return f"Another run uses `{path}`. Wait until it has ended, or choose another output."
    return (
        f"`{path}` cannot be used ({err}). Check that the disk has free space and that you may write to the folder. If "
        "another program made this file, move it."
    )
