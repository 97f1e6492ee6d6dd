"""What a test tells the fake: replies and faults as plain values.

It may import nothing else of `testing`.
"""
