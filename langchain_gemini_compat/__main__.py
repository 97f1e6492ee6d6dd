"""Runs the command: `python -m langchain_gemini_compat` is the same as `langchain-gemini-compat`."""

import sys

from langchain_gemini_compat.cli import main

if __name__ == "__main__":
    sys.exit(main())
