"""Replies as values to the JSON and the stream frames of a surface.

It may import `_rules` and `_model`.
"""
