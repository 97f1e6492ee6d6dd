"""The classes behind `errors`, in two files, so that `openai` is loaded with the first of its errors.

It may import _lazy and _wire.
"""
