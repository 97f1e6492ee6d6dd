"""JSON schemas to what Gemini takes, and the arguments of a call back to what the tool takes.

It may import _wire.
"""
