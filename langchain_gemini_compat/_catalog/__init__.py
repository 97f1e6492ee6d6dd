"""What surfaces and model families take: tables, and questions to them.

It may import _wire.
"""
