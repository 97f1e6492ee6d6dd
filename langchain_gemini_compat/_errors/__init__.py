"""The exception classes of `errors`, in two modules. Only `api` imports openai, so `base` can be imported quickly.

This package may import _lazy and _wire.
"""
