"""The RAG tutorial from an empty folder: its retriever finds the right passage, its two programs name the right page."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory):
    """What the page's blocks define."""
    folder = tmp_path_factory.mktemp("clone")
    (folder / "docs").symlink_to(ROOT / "docs")
    namespace = {"__name__": "docs"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for code in FENCE.findall((ROOT / "docs" / "tutorial-rag.md").read_text()):
            exec(compile(code, "tutorial-rag.md", "exec"), namespace)
    return namespace


QUESTIONS = [
    ("Which credentials does Vertex AI take: service account, file, impersonation?", "vertex.md", "service_account"),
    ("Is a gateway a compatible server?", "gateways.md", "gateway"),
    ("How do I see the thoughts of the model?", "thinking.md", "include_thoughts"),
    ("How do I send a PDF or an image?", "media.md", "image"),
    ("How can an agent survive a restart with a checkpointer?", "langgraph.md", "checkpointer"),
    ("How do I record a cassette?", "record-cassettes.md", "record"),
    ("How do I get Pydantic objects instead of text?", "structured-output.md", "pydantic"),
]


@pytest.mark.parametrize(("question", "page", "word"), QUESTIONS)
async def test_the_right_passage_is_retrieved(question, page, word, tutorial):
    """The first of three, sync and async alike, and it holds what was asked for."""
    found = tutorial["retriever"].invoke(question)
    assert found == await tutorial["retriever"].ainvoke(question)
    assert len(found) == 3
    assert found[0].metadata["source"] == page
    assert word in found[0].page_content.lower()


@pytest.mark.parametrize(("question", "page", "word"), QUESTIONS)
def test_chain_and_graph_answer_from_it(question, page, word, tutorial):
    """Both programs were given the passage, and Google would have taken every request."""
    assert tutorial["chain"].invoke(question) == f"See {page}"
    assert "".join(tutorial["chain"].stream(question)) == f"See {page}"
    state = tutorial["graph"].invoke({"messages": question})
    results = [message.text for message in state["messages"] if message.type == "tool"]
    assert results[0].startswith(f"[{page}] ")
    assert tutorial["fake"].refusals == []


def test_passages_were_embedded_once_in_batches(tutorial):
    """Documents are paid for once, and a question is one text more."""
    sizes = [len(request.body["input"]) for request in tutorial["fake"].requests if "input" in request.body]
    passages = len(tutorial["passages"])
    documents, questions = [size for size in sizes if size > 1], [size for size in sizes if size == 1]
    assert sum(documents) == passages
    assert len(documents) == -(-passages // 100)
    assert questions
