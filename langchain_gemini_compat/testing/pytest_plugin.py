"""The fixture `fake_gemini`, for every test suite where this package is installed.

Its one rule: loading it costs nothing; the fake is imported when a test asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from langchain_gemini_compat.testing import FakeGemini


@pytest.fixture
def fake_gemini(request: pytest.FixtureRequest) -> FakeGemini:
    """A fresh `FakeGemini` that echoes; `fake_gemini.answer_with([...])` gives it something to say.

    Indirect parameters are its arguments:
    `@pytest.mark.parametrize("fake_gemini", [{"surface": "vertex"}], indirect=True)`.
    """
    from langchain_gemini_compat.testing import FakeGemini

    return FakeGemini(**getattr(request, "param", {}))
