"""Tables of surfaces and model families, and functions that say what each of them accepts.

It may import _wire.
"""
