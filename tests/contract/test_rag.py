"""Tests that the RAG tutorial works in an empty folder.

The retriever finds the right passage, and the tutorial's two programs name the page of this passage.
"""

from pathlib import Path

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore
from page_blocks import OFFLINE, read_blocks

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory):
    """Return the names that the page's blocks define."""
    namespace = {"__name__": "docs"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("empty"))
        for block in read_blocks((ROOT / "docs" / "tutorial-rag.md").read_text(encoding="utf-8")):
            if block.language == "python" and block.tab in (None, OFFLINE):
                exec(compile(block.code, "tutorial-rag.md", "exec"), namespace)
    return namespace


#: Questions about Python, each with the page that answers it and some words of that page. They fit Python 3.10 to 3.13.
QUESTIONS = [
    ("When does a finally clause run, and what becomes of the saved exception?", "try", "saved exception is discarded"),
    ("What does a with statement do with a context manager?", "with", "the context manager"),
    ("How do lambda expressions make anonymous functions?", "lambda", "anonymous functions"),
    ("What does a statement do that does nothing when it is executed?", "pass", "nothing happens"),
    ("When is the else clause of a while loop executed?", "while", 'the suite of the "else" clause'),
    (
        "Are default parameter values evaluated with the function definition?",
        "function",
        "default parameter values are",
    ),
    (
        "How are base classes in the inheritance list evaluated?",
        "class",
        "inheritance list usually gives a list of base",
    ),
    ("What does assert do when optimization is requested?", "assert", "optimization is requested"),
]


def flat(text):
    """Return the text in lowercase on one line."""
    return " ".join(text.lower().split())


@pytest.mark.parametrize(("question", "page", "words"), QUESTIONS)
async def test_right_passage_is_retrieved(question, page, words, tutorial):
    """The right passage is the first of three, sync and async, and contains the answer."""
    found = tutorial["retriever"].invoke(question)
    assert found == await tutorial["retriever"].ainvoke(question)
    assert len(found) == 3
    assert found[0].metadata["source"] == page
    assert words in flat(found[0].page_content)


@pytest.mark.parametrize(("question", "page", "words"), QUESTIONS)
def test_chain_and_graph_get_the_passage(question, page, words, tutorial):
    """Both programs send the passage to the model, and Google would accept every request."""
    fake = tutorial["fake"]
    fake.requests.clear()
    assert tutorial["chain"].invoke(question) == f"See {page}"
    assert words in flat(fake.requests[-1].messages[0]["content"])
    assert "".join(tutorial["chain"].stream(question)) == f"See {page}"
    state = tutorial["graph"].invoke({"messages": question})
    results = [message.text for message in state["messages"] if message.type == "tool"]
    assert results[0].startswith(f"[{page}] ")
    assert words in flat(results[0])
    assert fake.refusals == []


def test_question_without_a_result_is_rewritten(tutorial):
    """The graph rejects the first search result and rewrites the question. The second search finds the passage."""
    state = tutorial["graph"].invoke({"messages": "How do I clean up after a crash?"})
    first, second = (message.text for message in state["messages"] if message.type == "tool")
    assert '"finally" clause' not in flat(first)
    assert second.startswith("[try] ")
    assert '"finally" clause' in flat(second)
    assert state["messages"][-1].text == "See try"


def test_random_vectors_do_not_find_the_passages(tutorial):
    """With random vectors, the nearest passage is rarely of the right page.

    This shows that the other tests can fail.
    """
    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=768))
    store.add_documents(tutorial["passages"])
    found = [store.similarity_search(question, k=1)[0].metadata["source"] == page for question, page, _ in QUESTIONS]
    assert sum(found) <= len(QUESTIONS) // 2


def test_passages_are_embedded_once_in_batches(tutorial):
    """Documents are paid for once, in as few requests as AI Studio allows."""
    store = InMemoryVectorStore(tutorial["fake"].embeddings("gemini-embedding-001", dimensions=768))
    tutorial["fake"].requests.clear()
    store.add_documents(tutorial["passages"])
    batches = [len(request.body["input"]) for request in tutorial["fake"].requests]
    assert sum(batches) == len(tutorial["passages"])
    assert len(batches) == -(-len(tutorial["passages"]) // 100)
