"""The journal: a SQLite file with the rows of the input and their outcomes.

SQLite in WAL mode loses no committed transaction if the process is killed.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat.bulk._database import Database, OutputError
from langchain_gemini_compat.bulk._progress import Counts
from langchain_gemini_compat.bulk._rows import Problems, Row, digest_request, read_content

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

    from langchain_gemini_compat._wire.json_types import JsonObject
    from langchain_gemini_compat.bulk._database import Value
    from langchain_gemini_compat.bulk._outcomes import Outcome
    from langchain_gemini_compat.bulk._rows import BulkModel

#: Columns of the output that SQLite stores as JSON text.
JSON_COLUMNS = frozenset({"parsed", "tool_calls", "usage"})
#: Values of the column `status`. Rows without an outcome count as `_OPEN`.
_ANSWERED, _FAILED, _OPEN = range(3)
#: The `application_id` in the header of each journal. It shows that `run_bulk` created the file.
_APPLICATION_ID = 0x4743626A
#: A SQLite file begins with a header of 100 bytes. Bytes 68 to 71 contain the `application_id`
#: (https://www.sqlite.org/fileformat.html).
_HEADER, _ID_IN_HEADER = 100, slice(68, 72)
_ID_BYTES = _APPLICATION_ID.to_bytes(4, "big")
_ROWS_PER_READ = 200
#: Minimum number of seconds between two syncs to the disk. A power failure can lose the commits after the last sync. A
#: crash of the process loses no commit.
_SECONDS_BETWEEN_SYNCS = 1.0
_CREATE = (
    "CREATE TABLE bulk_rows (row INTEGER PRIMARY KEY, id UNIQUE, key TEXT NOT NULL UNIQUE, content TEXT NOT NULL)",
    (
        "CREATE TABLE bulk_outcomes (key TEXT PRIMARY KEY, status INTEGER NOT NULL, text TEXT, parsed TEXT, "
        "tool_calls TEXT, finish_reason TEXT, model TEXT, input_tokens INTEGER, output_tokens INTEGER, "
        "usage TEXT, price REAL, error_type TEXT, error_message TEXT)"
    ),
    # Tokens and prices of failed calls whose rows were sent again. The totals include these calls.
    "CREATE TABLE bulk_spent (key TEXT NOT NULL, input_tokens INTEGER, output_tokens INTEGER, usage TEXT, price REAL)",
    "CREATE INDEX bulk_spent_by_key ON bulk_spent (key)",
    (
        "CREATE VIEW answers AS SELECT row, id, text, parsed, tool_calls, finish_reason, model, input_tokens, "
        "output_tokens, usage, price, "
        "CASE WHEN status IS NULL THEN 'NotSent' ELSE error_type END AS error_type, "
        "CASE WHEN status IS NULL THEN 'The run ended before this row was sent. Run again to send it.' "
        "ELSE error_message END AS error_message "
        "FROM bulk_rows LEFT JOIN bulk_outcomes USING (key) ORDER BY row"
    ),
)
# Rows that failed in an earlier run come last. `StopRule` stops a run after many errors in a row, so failed rows at the
# beginning could stop each new run before it sends the other rows.
_LIST_OPEN = (
    "CREATE TEMP TABLE rows_to_send AS SELECT row FROM bulk_rows LEFT JOIN bulk_outcomes USING (key) "
    "WHERE coalesce(status, 2) >= {least} ORDER BY status IS NOT NULL, row"
)
_SELECT_OPEN = (
    "SELECT place.rowid, row, id, key, content FROM temp.rows_to_send AS place JOIN bulk_rows USING (row) "
    "WHERE place.rowid > ? ORDER BY place.rowid LIMIT ?"
)
_INSERT_OUTCOME = "INSERT OR IGNORE INTO bulk_outcomes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_COUNT_ROWS = (
    "SELECT count(*), coalesce(sum(status = 0), 0), coalesce(sum(status = 1), 0) "
    "FROM bulk_rows LEFT JOIN bulk_outcomes USING (key)"
)
_COUNT_PAID = (
    "SELECT coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0), coalesce(sum(price), 0.0), "
    "coalesce(sum(usage IS NOT NULL AND price IS NULL), 0) "
    "FROM (SELECT input_tokens, output_tokens, usage, price FROM bulk_rows JOIN bulk_outcomes USING (key) "
    "UNION ALL SELECT input_tokens, output_tokens, usage, price FROM bulk_rows JOIN bulk_spent USING (key))"
)
_KEEP_COST = (
    "INSERT INTO bulk_spent SELECT key, input_tokens, output_tokens, usage, price FROM bulk_outcomes "
    "WHERE key = ? AND status > 0 AND usage IS NOT NULL"
)


class Journal:
    """An open journal. Only one process at a time can open a journal file."""

    def __init__(self, path: Path) -> None:
        """Open or create the journal.

        Raises:
            OutputError: If another run has the journal open, or if the file is not a journal.
        """
        if not _is_usable(path):
            raise OutputError(f"`{path}` exists and was not created by `run_bulk`. Choose another file.")
        self._is_new = not path.exists()
        self._database = Database(path, _describe_failure)
        with self._database.closing_on_error():
            self._prepare()
        self._synced = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def load(self, model: BulkModel, rows: Iterable[tuple[str, JsonObject]]) -> None:
        """Replace the journal's rows by those of the input. Keep the outcomes. If a row is invalid, change nothing.

        Raises:
            InvalidRowsError: For invalid rows.
        """
        try:
            self._replace_rows(model, rows)
        except BaseException:
            if self._is_new:
                self._database.close()
                self._database.path.unlink()
            raise

    def read_open_rows(self, *, retry_failed: bool) -> Iterator[Row]:
        """Yield the rows that this run has to send. Outcomes may be recorded during the iteration."""
        self._database.execute("DROP TABLE IF EXISTS temp.rows_to_send")
        self._database.execute(_LIST_OPEN.format(least=_FAILED if retry_failed else _OPEN))
        last = 0
        while found := self._database.execute(_SELECT_OPEN, (last, _ROWS_PER_READ)).fetchall():
            for place, number, identity, key, content in found:
                question, options = read_content(json.loads(content))
                yield Row(number, identity, key, question, options)
                last = place

    def has_answer(self, key: str) -> bool:
        """Return whether the row with this key has an answer."""
        statement = "SELECT 1 FROM bulk_outcomes WHERE key = ? AND status = ?"
        return self._database.execute(statement, (key, _ANSWERED)).fetchone() is not None

    def is_open(self, key: str, *, retry_failed: bool) -> bool:
        """Return whether `read_open_rows` would yield the row with this key."""
        statement = (
            "SELECT 1 FROM bulk_rows LEFT JOIN bulk_outcomes USING (key) WHERE key = ? AND coalesce(status, 2) >= ?"
        )
        return self._database.execute(statement, (key, _FAILED if retry_failed else _OPEN)).fetchone() is not None

    def record(self, outcomes: Sequence[tuple[Row, Outcome]]) -> None:
        """Write outcomes in one transaction. An answer is never replaced."""
        with self._database.transaction():
            for row, outcome in outcomes:
                self._database.execute(_KEEP_COST, (row.key,))
                self._database.execute("DELETE FROM bulk_outcomes WHERE key = ? AND status > 0", (row.key,))
                self._database.execute(_INSERT_OUTCOME, _encode(row.key, outcome))
        if time.monotonic() - self._synced >= _SECONDS_BETWEEN_SYNCS:
            self._database.execute("PRAGMA wal_checkpoint(PASSIVE)")
            self._synced = time.monotonic()

    def reopen(self, keys: Sequence[str]) -> None:
        """Mark the failed rows among `keys` as open, so that the next run sends them. Keep their errors until then."""
        with self._database.transaction():
            for key in keys:
                self._database.execute("UPDATE bulk_outcomes SET status = ? WHERE key = ? AND status > 0", (_OPEN, key))

    def count(self) -> Counts:
        """Return the counts of rows and tokens for the rows of the input."""
        return Counts(*self._database.execute(_COUNT_ROWS).fetchone(), *self._database.execute(_COUNT_PAID).fetchone())

    def count_errors(self) -> dict[str, int]:
        """Return a dict from the name of an error to the number of its rows, with the most frequent error first."""
        found = self._database.execute(
            "SELECT error_type, count(*) FROM bulk_rows JOIN bulk_outcomes USING (key) WHERE error_type IS NOT NULL "
            "GROUP BY error_type ORDER BY count(*) DESC, error_type"
        )
        return dict(found.fetchall())

    def read_output(self) -> tuple[list[str], Iterator[tuple[Value, ...]]]:
        """Return the names of the columns, and the rows of the output in the order of the input."""
        cursor = self._database.execute("SELECT * FROM answers")
        return [column[0] for column in cursor.description], cursor

    def has_only_integer_ids(self) -> bool:
        """Return `True` if the input has no `id` that is a string."""
        found = self._database.execute("SELECT 1 FROM bulk_rows WHERE typeof(id) = 'text' LIMIT 1").fetchone()
        return found is None

    def _prepare(self) -> None:
        """Create the tables of a new file.

        WAL mode is switched on after the tables are created. Otherwise `application_id` would be in the WAL file, where
        `_is_usable` does not look for it.
        """
        with self._database.transaction():
            if not self._database.execute("SELECT 1 FROM sqlite_master").fetchone():
                self._database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                for statement in _CREATE:
                    self._database.execute(statement)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")

    def _replace_rows(self, model: BulkModel, rows: Iterable[tuple[str, JsonObject]]) -> None:
        problems = Problems()
        with self._database.transaction():
            self._database.execute("DELETE FROM bulk_rows")
            self._database.execute("CREATE TEMP TABLE occurrences (request TEXT PRIMARY KEY, count INTEGER)")
            for number, (place, content) in enumerate(rows, 1):
                problem = self._add(model, number, content)
                if problem:
                    problems.add(place, problem)
            self._database.execute("DROP TABLE temp.occurrences")
            problems.check()

    def _add(self, model: BulkModel, number: int, content: JsonObject) -> str:
        """Add a row. Return why the row is invalid, or an empty string if it is valid."""
        try:
            request = digest_request(model, content)
            values = (number, cast("Value", content.get("id")), self._build_key(request, content), json.dumps(content))
            self._database.execute("INSERT INTO bulk_rows VALUES (?, ?, ?, ?)", values)
        except sqlite3.IntegrityError:
            return "Another row has the same `id`."
        except ValueError as err:
            return str(err)
        return ""

    def _build_key(self, request: str, content: JsonObject) -> str:
        """Return the key of a row. If the row has no `id`, the key has a number that distinguishes equal requests."""
        if content.get("id") is not None:
            return f"{request}:id:{json.dumps(content['id'])}"
        self._database.execute(
            "INSERT INTO temp.occurrences VALUES (?, 1) ON CONFLICT (request) DO UPDATE SET count = count + 1",
            (request,),
        )
        (count,) = self._database.execute("SELECT count FROM temp.occurrences WHERE request = ?", (request,)).fetchone()
        return f"{request}:{count}"


def _is_usable(path: Path) -> bool:
    """Return whether the file is a journal, is empty or does not exist. The file is not changed."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER)
    except OSError:
        # The file cannot be read. Return `True`, so that SQLite tries to open it and raises an error with the reason.
        return True
    return not header or (header.startswith(b"SQLite format 3\0") and header[_ID_IN_HEADER] == _ID_BYTES)


def _encode(key: str, outcome: Outcome) -> tuple[Value, ...]:
    """Convert the outcome to the values of one row of the table `bulk_outcomes`."""
    usage = outcome.usage
    return (
        key,
        _status_of(outcome),
        _clean(outcome.text),
        None if outcome.parsed is None else json.dumps(outcome.parsed),
        json.dumps(outcome.tool_calls) if outcome.tool_calls else None,
        outcome.finish_reason,
        outcome.model,
        usage["input_tokens"] if usage else None,
        usage["output_tokens"] if usage else None,
        json.dumps(usage) if usage else None,
        outcome.price,
        outcome.error_type,
        _clean(outcome.error_message),
    )


def _status_of(outcome: Outcome) -> int:
    if outcome.error_type is None:
        return _ANSWERED
    return _FAILED if outcome.is_failed else _OPEN


def _clean(text: str | None) -> str | None:
    """Return `text` with lone surrogates replaced by `?`, because SQLite cannot store surrogates."""
    return None if text is None else text.encode(errors="replace").decode()


def _describe_failure(path: Path, err: sqlite3.Error) -> str:
    if "locked" in str(err):
        return f"Another run writes `{path}`. Wait until it has ended, or choose another output."
    if "not a database" in str(err):
        return f"`{path}` exists and was not created by `run_bulk`. Choose another file."
    if "full" in str(err) or "I/O" in str(err):
        return (
            f"`{path}` cannot be written ({err}). Check the free space of the disk, and run again: the next run sends "
            "only the rows that have no answer in this file."
        )
    return f"`{path}` cannot be opened ({err}). Choose a file in an existing folder that you can write to."
