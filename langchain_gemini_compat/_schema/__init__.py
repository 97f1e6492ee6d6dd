"""Compiles JSON schemas to the subset that Gemini accepts, and repairs tool arguments by the tool's own schema.

The package may import only `_wire`.
"""
