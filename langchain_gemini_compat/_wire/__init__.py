"""Everything about the JSON of the API: types, parsers, media types, unknown fields, and notes about changed requests.

This package may not import any other part of `langchain_gemini_compat`.
"""
