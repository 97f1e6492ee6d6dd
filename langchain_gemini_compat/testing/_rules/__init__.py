"""What Google refuses in a request, and the text of each refusal.

This package may import `_model`.
"""
