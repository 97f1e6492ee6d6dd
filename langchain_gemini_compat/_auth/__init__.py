"""Bearer tokens from API keys, functions and Google credentials.

It may import _transport, _catalog, errors and _wire.
"""
