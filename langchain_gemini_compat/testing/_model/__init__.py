"""Replies and faults as plain values: what a test gives to the fake.

This package imports nothing else of `testing`.
"""
