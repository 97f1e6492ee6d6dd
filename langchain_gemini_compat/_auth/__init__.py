"""Bearer tokens from API keys, functions and Google credentials.

This package may import _transport, _catalog, errors and _wire.
"""
