"""An offline Gemini endpoint for tests.

`FakeGemini` answers like AI Studio, Vertex AI or a compatible server, and refuses what Google refuses. `Reply`, `Call`,
`Raw` and `Style` describe its replies. `Fault` and `FAULTS` describe its faults. `BatchPlan` describes how long a batch
takes and how it ends. `record` writes the exchanges of a program to a file without secrets, and `replay` reproduces
them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_gemini_compat._lazy import export_lazily

if TYPE_CHECKING:
    from langchain_gemini_compat.testing._cassettes.errors import ReplayError
    from langchain_gemini_compat.testing._cassettes.player import Replay, replay
    from langchain_gemini_compat.testing._cassettes.recorder import Recording, record
    from langchain_gemini_compat.testing._model.batches import BatchPlan
    from langchain_gemini_compat.testing._model.faults import FAULTS, Fault
    from langchain_gemini_compat.testing._model.replies import Call, Raw, Reply, Style, Usage
    from langchain_gemini_compat.testing._rules.violations import Violation
    from langchain_gemini_compat.testing._server.batches import FakeBatch, FakeBatches
    from langchain_gemini_compat.testing._server.difference import Difference
    from langchain_gemini_compat.testing._server.endpoint import FakeGemini
    from langchain_gemini_compat.testing._server.requests import FakeRequest
else:
    # pytest loads the package's plugin, and with it this module, in every test run. To save time, each name is imported
    # only when it is used.
    __getattr__, __dir__ = export_lazily(
        __name__,
        {
            "FAULTS": "_model.faults",
            "BatchPlan": "_model.batches",
            "Call": "_model.replies",
            "Difference": "_server.difference",
            "FakeBatch": "_server.batches",
            "FakeBatches": "_server.batches",
            "FakeGemini": "_server.endpoint",
            "FakeRequest": "_server.requests",
            "Fault": "_model.faults",
            "Raw": "_model.replies",
            "Recording": "_cassettes.recorder",
            "Replay": "_cassettes.player",
            "ReplayError": "_cassettes.errors",
            "Reply": "_model.replies",
            "Style": "_model.replies",
            "Usage": "_model.replies",
            "Violation": "_rules.violations",
            "record": "_cassettes.recorder",
            "replay": "_cassettes.player",
        },
    )

__all__ = [
    "FAULTS",
    "BatchPlan",
    "Call",
    "Difference",
    "FakeBatch",
    "FakeBatches",
    "FakeGemini",
    "FakeRequest",
    "Fault",
    "Raw",
    "Recording",
    "Replay",
    "ReplayError",
    "Reply",
    "Style",
    "Usage",
    "Violation",
    "record",
    "replay",
]
