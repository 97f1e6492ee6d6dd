"""`bulk`: sends all rows of a file to a model. If a run stops early, the next run sends the missing rows."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from langchain_gemini_compat.cli._options import UsageError, add_target_arguments, known_secrets, read_target
from langchain_gemini_compat.cli._terminal import Screen

if TYPE_CHECKING:
    from langchain_gemini_compat._wire.json_types import JsonObject
    from langchain_gemini_compat.bulk import BulkResult, Engine
    from langchain_gemini_compat.cli._bulk_progress import ProgressLine

_CONCURRENCY = 16
#: A bulk run retries its calls more often and for longer than other calls, because nobody waits for the answer to a
#: single row.
_MAX_RETRIES = 8
_RETRY_WAIT = 600.0
_AGAIN = "Run the same command again to go on."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `bulk`."""
    parser.add_argument("input", metavar="IN", help="JSONL file; each line has `prompt` or `messages`")
    parser.add_argument("output", metavar="OUT", help="file to write: .jsonl, .sqlite or .parquet")
    add_target_arguments(parser)
    group = parser.add_argument_group("run")
    group.add_argument("--schema", metavar="FILE", help="JSON schema of the answers")
    group.add_argument(
        "--concurrency",
        metavar="N",
        type=_count,
        default=_CONCURRENCY,
        help="maximum number of calls in flight; default: %(default)s",
    )
    group.add_argument("--retry-failed", action="store_true", help="send again the rows that failed in earlier runs")
    group.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="send the rows with Dask: local:4 for four processes, or the address of a scheduler",
    )
    group.add_argument(
        "--batch-api",
        action="store_true",
        help="send the rows to Google's batch endpoint of AI Studio, for half the price; not yet tried against Google",
    )


def run(args: argparse.Namespace, screen: Screen) -> int:
    """Send the rows; return 0 if every row has an answer."""
    from langchain_gemini_compat.cli._bulk_progress import ProgressLine, describe_counts

    errors = Screen(sys.stderr, known_secrets(args))
    line = ProgressLine(errors)
    try:
        result = _run_bulk(args, line, errors)
    except KeyboardInterrupt:
        line.end()
        if line.last is not None:
            errors.line(f"Interrupted. {describe_counts(line.last)} {_AGAIN}", "yellow")
        raise
    line.end()
    screen.line(f"{describe_counts(result)} Output: {result.path}")
    if result.stopped:
        errors.line(f"error: {result.stopped}\n{_AGAIN}", "red")
    if result.failed:
        errors.line(f"note: {_describe_errors(result)}. To send failed rows again, add --retry-failed.", "yellow")
    return 0 if result.answered == result.rows else 1


def _run_bulk(args: argparse.Namespace, line: ProgressLine, errors: Screen) -> BulkResult:
    from langchain_gemini_compat.bulk import InvalidRowsError, OutputError, run_bulk

    source, schema = _read_path(str(args.input)), _read_schema(cast("str | None", args.schema))
    model = read_target(args).build_model(max_retries=_MAX_RETRIES, timeout={"retry_wait": _RETRY_WAIT})
    line.start()
    try:
        return run_bulk(
            model,
            source,
            str(args.output),
            schema=schema,
            concurrency=cast("int", args.concurrency),
            engine=_build_engine(args, errors),
            retry_failed=bool(args.retry_failed),
            report=line.show,
        )
    except (InvalidRowsError, OutputError) as err:
        raise UsageError(str(err)) from None


def _build_engine(args: argparse.Namespace, errors: Screen) -> Engine | None:
    from langchain_gemini_compat.bulk import BatchApiEngine, DaskEngine

    if args.dask and args.batch_api:
        raise UsageError("--dask and --batch-api exclude each other.")
    if args.batch_api:
        return BatchApiEngine(str(args.output), notify=errors.line)
    if args.dask is None:
        return None
    try:
        return DaskEngine(str(args.dask))
    except (ImportError, ValueError) as err:
        raise UsageError(f"--dask: {err}") from None


def _read_path(name: str) -> Path:
    # Do not open the file for this check: if it is a pipe, closing it would stop the program that writes to it.
    if not os.access(name, os.R_OK) or Path(name).is_dir():
        raise UsageError(f"The input {name} cannot be read. Pass a file with a row in each line.")
    return Path(name)


def _read_schema(name: str | None) -> JsonObject | None:
    """Return the JSON schema in the file."""
    if name is None:
        return None
    try:
        schema: object = json.loads(Path(name).read_text("utf-8"))
    except (OSError, ValueError) as err:
        raise UsageError(
            f"--schema {name} cannot be read ({type(err).__name__}). Name a file with a JSON schema."
        ) from None
    if not isinstance(schema, dict):
        raise UsageError(f"--schema {name} is not a JSON object. Name a file with a JSON schema.")
    return cast("JsonObject", schema)


def _describe_errors(result: BulkResult) -> str:
    """Return one line of text with the number of rows for each name of an error."""
    return ", ".join(f"{count:,} {name}" for name, count in result.errors.items())


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("this is a whole number, 1 or more")
    return int(text)
