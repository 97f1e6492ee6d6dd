"""Compiles JSON schemas to the subset that Gemini takes, and repairs arguments by the tool's own schema.

It may import _wire.
"""
