"""Tests random schemas: the original schema accepts what the compiled schema accepts, or a loss explains why not."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from schema_draws import build_any
from schema_judge import find_unexplained
from schema_subset import refuse

from langchain_gemini_compat._schema.functions import compile_parameters, compile_response_schema

SLOW_TO_DRAW = [HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=300, derandomize=True, deadline=None, suppress_health_check=SLOW_TO_DRAW)
@given(schema=build_any())
def test_each_difference_from_the_original_has_a_loss(schema):
    """If the original schema refuses a sample value of the compiled schema, a loss must explain why."""
    before = json.dumps(schema)
    for response, build in ((False, compile_parameters), (True, compile_response_schema)):
        compiled, losses = build(schema)
        assert json.dumps(schema) == before
        assert build(schema) == (compiled, losses)
        if compiled is not None:
            assert refuse(compiled, response=response) == ""
            assert json.dumps(build(compiled)[0]) == json.dumps(compiled)
        assert find_unexplained(schema, compiled, losses) == [], (compiled, losses)
