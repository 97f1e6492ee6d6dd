"""An offline Gemini endpoint for tests.

`FakeGemini` speaks the dialects of AI Studio, Vertex AI and compatible servers, and refuses what Google refuses.
`Reply`, `Call`, `Raw` and `Style` describe its replies. `Fault` and `FAULTS` describe its faults.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_gemini_compat._lazy import export_lazily

if TYPE_CHECKING:
    from langchain_gemini_compat.testing._model.faults import FAULTS, Fault
    from langchain_gemini_compat.testing._model.replies import Call, Raw, Reply, Style, Usage
    from langchain_gemini_compat.testing._rules.violations import Violation
    from langchain_gemini_compat.testing._server.difference import Difference
    from langchain_gemini_compat.testing._server.endpoint import FakeGemini
    from langchain_gemini_compat.testing._server.requests import FakeRequest
else:
    # pytest loads the plugin in this package in each run, and with it this module.
    __getattr__, __dir__ = export_lazily(
        __name__,
        {
            "FAULTS": "_model.faults",
            "Call": "_model.replies",
            "Difference": "_server.difference",
            "FakeGemini": "_server.endpoint",
            "FakeRequest": "_server.requests",
            "Fault": "_model.faults",
            "Raw": "_model.replies",
            "Reply": "_model.replies",
            "Style": "_model.replies",
            "Usage": "_model.replies",
            "Violation": "_rules.violations",
        },
    )

__all__ = [
    "FAULTS",
    "Call",
    "Difference",
    "FakeGemini",
    "FakeRequest",
    "Fault",
    "Raw",
    "Reply",
    "Style",
    "Usage",
    "Violation",
]
