"""The exception classes of `errors`, in two modules, so that `openai` is imported only when one of its errors is used.

It may import _lazy and _wire.
"""
