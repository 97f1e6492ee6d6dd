"""The JSON of the API: its types, parsing, media types, unknown fields and notes about changes.

This package may not import any other part of `langchain_gemini_compat`.
"""
