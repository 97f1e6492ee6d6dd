"""What Google refuses in a request, and in which words.

It may import `_model`.
"""
