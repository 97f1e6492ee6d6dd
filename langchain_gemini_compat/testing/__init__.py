"""An offline Gemini for tests: it speaks Google's dialects, makes Google's mistakes and keeps Google's rules."""

from langchain_gemini_compat.testing._difference import Difference
from langchain_gemini_compat.testing._endpoint import FakeGemini
from langchain_gemini_compat.testing._faults import FAULTS, Fault
from langchain_gemini_compat.testing._replies import Call, Raw, Reply, Style, Usage
from langchain_gemini_compat.testing._requests import FakeRequest
from langchain_gemini_compat.testing._violations import Violation

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
