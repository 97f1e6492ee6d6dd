"""The exception classes of `errors`. Only `api` imports openai, and `pending` imports `api` with the first error.

This package may import _lazy and _wire.
"""
