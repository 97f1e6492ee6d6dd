"""Tables of surfaces and model families, and functions that say what each surface and each family accepts.

This package may import _wire.
"""
