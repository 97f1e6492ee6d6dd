"""The arguments of the constructors, their aliases, and the endpoint that they name.

It may import _catalog, errors and _wire.
"""
