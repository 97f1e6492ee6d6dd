"""An offline Gemini endpoint for tests.

`FakeGemini` speaks the dialects of AI Studio, Vertex AI and compatible servers, and refuses what Google refuses.
`Reply`, `Call`, `Raw` and `Style` describe its replies. `Fault` and `FAULTS` describe its faults.
"""

from langchain_gemini_compat.testing._model.faults import FAULTS, Fault
from langchain_gemini_compat.testing._model.replies import Call, Raw, Reply, Style, Usage
from langchain_gemini_compat.testing._rules.violations import Violation
from langchain_gemini_compat.testing._server.difference import Difference
from langchain_gemini_compat.testing._server.endpoint import FakeGemini
from langchain_gemini_compat.testing._server.requests import FakeRequest

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
