"""HTTP: clients, request bodies, replies as JSON, deadlines, retries, server errors and network errors.

This package may import _catalog, errors and _wire.
"""
