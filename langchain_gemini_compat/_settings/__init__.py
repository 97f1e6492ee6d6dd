"""Parameters of the constructors, their aliases, and the endpoint that they lead to.

It may import _catalog, errors and _wire.
"""
