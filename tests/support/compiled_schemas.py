"""Records which schemas are compiled. A schema that comes from a cache is not compiled, so it is not recorded."""

from langchain_gemini_compat._schema.compiler import Compiler


def record_compiled(monkeypatch):
    """Return a list to which each schema is added when it is compiled."""
    roots = []
    original = Compiler.compile

    def compile_one(self, path, sources, depth):
        if depth == 1:
            roots.append(self.reader.root)
        return original(self, path, sources, depth)

    monkeypatch.setattr(Compiler, "compile", compile_one)
    return roots
