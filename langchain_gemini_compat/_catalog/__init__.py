"""Tables of surfaces and model families, and functions that say what each of them accepts.

This package may import _wire.
"""
