"""The exception classes of `errors`. Only `api` imports openai. `pending` imports `api` when the first error is built.

This package may import _lazy and _wire.
"""
