"""SQLite files that only one process at a time can use: the journal, and the state of the batches."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from langchain_gemini_compat.errors import GeminiCompatError

if TYPE_CHECKING:
    from pathlib import Path

#: Types of the values that SQLite stores here.
Value: TypeAlias = "str | int | float | None"


class OutputError(GeminiCompatError):
    """The output cannot be used, for example because another run writes it, or because the disk is full.

    No recorded answer is lost. The next run sends only the missing rows.
    """


class Database:
    """An open SQLite file. The first transaction locks the file until `close`, or until the process ends or is killed.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path, describe_failure: Callable[[Path, sqlite3.Error], str]) -> None:
        """Open or create the file.

        Args:
            path: The file.
            describe_failure: Returns the message of an `OutputError` for an error of SQLite.

        Raises:
            OutputError: If the file cannot be opened.
        """
        self.path = path
        self._describe_failure = describe_failure
        try:
            self._connection = sqlite3.connect(path, timeout=0, isolation_level=None)
        except sqlite3.Error as err:
            raise OutputError(describe_failure(path, err)) from err
        with self.closing_on_error():
            self.execute("PRAGMA locking_mode = EXCLUSIVE")

    def execute(self, statement: str, values: Sequence[Value] = ()) -> sqlite3.Cursor:
        """Run one statement.

        Raises:
            OutputError: If SQLite refuses the statement, for example because the disk is full.
            sqlite3.IntegrityError: If the statement breaks a constraint of its table.
        """
        try:
            return self._connection.execute(statement, values)
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as err:
            raise OutputError(self._describe_failure(self.path, err)) from err

    def transaction(self) -> Transaction:
        """Commit the statements of the `with` block together. If an error leaves the block, commit nothing."""
        return Transaction(self)

    @contextmanager
    def closing_on_error(self) -> Generator[None]:
        """Close the file if an error leaves the `with` block."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file, so that another process can use it."""
        self._connection.close()

    def roll_back(self) -> None:
        """Undo the open transaction, if there is one."""
        if self._connection.in_transaction:
            self.execute("ROLLBACK")


class Transaction:
    """A transaction as a context manager.

    `contextlib.contextmanager` is not used, because it needs a generator. After Ctrl-C at the start of the block, the
    traceback would keep this generator. Python would delete it later, and it would roll back the transaction that is
    open at that time.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> None:
        # Ctrl-C may have left an earlier transaction open.
        self._database.roll_back()
        # `EXCLUSIVE` fails at once if another process has the file open.
        self._database.execute("BEGIN EXCLUSIVE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._database.execute("COMMIT")
        finally:
            # The transaction is still open after an error of the block, and after a `COMMIT` that failed.
            self._database.roll_back()
