"""An offline Gemini for tests: it speaks Google's dialects, makes Google's mistakes and keeps Google's rules."""

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
