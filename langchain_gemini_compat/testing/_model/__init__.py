"""Replies and faults as plain values, which a test passes to `FakeGemini`.

This package imports nothing else of `testing`.
"""
