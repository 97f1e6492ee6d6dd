"""Turn a reply into the JSON or the stream of a surface.

This package may import `_rules` and `_model`.
"""
