"""Compiles JSON schemas to the subset that Gemini accepts, and repairs tool arguments by the tool's own schema.

It may import _wire.
"""
