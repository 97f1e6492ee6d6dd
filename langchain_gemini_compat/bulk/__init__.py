"""Sends thousands of prompts to a model. If a run stops or crashes, the next run sends the missing prompts.

`run_bulk` is the function behind the command `langchain-gemini-compat bulk`.
"""

from __future__ import annotations

from langchain_gemini_compat.bulk._batch_engine import BatchApiEngine
from langchain_gemini_compat.bulk._batch_service import BatchError
from langchain_gemini_compat.bulk._dask import DaskEngine
from langchain_gemini_compat.bulk._database import OutputError
from langchain_gemini_compat.bulk._engine import Engine, OpenRows, Outcomes
from langchain_gemini_compat.bulk._outcomes import Outcome, read_error, read_reply
from langchain_gemini_compat.bulk._progress import Progress
from langchain_gemini_compat.bulk._rows import BulkModel, InvalidRowsError, Row
from langchain_gemini_compat.bulk._run import BulkResult, run_bulk

__all__ = [
    "BatchApiEngine",
    "BatchError",
    "BulkModel",
    "BulkResult",
    "DaskEngine",
    "Engine",
    "InvalidRowsError",
    "OpenRows",
    "Outcome",
    "Outcomes",
    "OutputError",
    "Progress",
    "Row",
    "read_error",
    "read_reply",
    "run_bulk",
]
