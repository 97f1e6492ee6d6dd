"""Tables of surfaces and model families, and functions that say what each of them takes.

It may import _wire.
"""
