"""Parameters of the constructors, their aliases, and the endpoint that the parameters select.

This package may import _catalog, errors and _wire.
"""
