"""Pytest plugin with the fixture `fake_gemini`, registered wherever this package is installed.

Pytest loads the plugin in every test run. To save time in runs without the fixture, this module does not import the
fake. The fixture imports it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from langchain_gemini_compat.testing import FakeGemini


@pytest.fixture
def fake_gemini(request: pytest.FixtureRequest) -> FakeGemini:
    """Return a new `FakeGemini` that echoes the newest user message.

    Call `fake_gemini.answer_with([...])` to give it other replies.

    Args:
        request: The request of pytest. Indirect parameters become arguments of `FakeGemini`:
            `@pytest.mark.parametrize("fake_gemini", [{"surface": "vertex"}], indirect=True)`.

    Returns:
        A fake that no other test uses.
    """
    from langchain_gemini_compat.testing import FakeGemini

    return FakeGemini(**getattr(request, "param", {}))
