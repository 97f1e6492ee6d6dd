"""Files of users that correct or add facts about models."""

import copy
import json
import pickle
import sys
from pathlib import Path
from typing import get_type_hints

import pytest
from langchain_core.language_models import ModelProfile
from langchain_core.messages import AIMessage
from langchain_core.runnables import ConfigurableField
from outgoing import PLACES
from pydantic import BaseModel

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._catalog.catalog_file import CATALOG_VARIABLE, FACTS
from langchain_gemini_compat._catalog.models import family_of
from langchain_gemini_compat.testing import FakeGemini

XENON = {"levels": ["low", "xhigh"], "max_output_tokens": 5000, "takes_penalties": {"value": False, "source": "a mail"}}


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a catalog and returns its path."""

    def write_catalog(families, name="facts.json"):
        path = tmp_path / name
        path.write_text(families if isinstance(families, str) else json.dumps({"families": families}), "utf-8")
        return path

    return write_catalog


def level(chat, **options):
    """Return the level that the request has if the caller asks for `reasoning_effort="xhigh"`."""
    body, _ = chat.preview("Hi.", reasoning_effort="xhigh", **options)
    config = body.get("extra_body", {}).get("google", {}).get("thinking_config", {})
    return body.get("reasoning_effort") or config["thinking_level"]


def test_corrected_fact_changes_the_request_and_the_profile(write):
    """The other facts of the family stay, and so does every other family."""
    path = write({"gemini-3.8-flash": {"levels": ["minimal", "low"], "max_output_tokens": 1000}})
    chat = ChatGeminiCompat(model="gemini-3.8-flash-001", catalog=path, **PLACES["vertex"])
    body, notes = chat.preview("Hi.", reasoning_effort="minimal", max_tokens=2000, presence_penalty=1)
    assert (body["reasoning_effort"], body["max_tokens"], "presence_penalty" in body) == ("minimal", 1000, False)
    assert len(notes) == 2
    assert chat.profile["reasoning_effort_levels"] == ["minimal", "low"]
    assert chat.profile["max_input_tokens"] == 1_048_576
    assert level(chat, model="gemini-4-neon") == "xhigh"


def test_new_family_begins_with_the_facts_that_its_name_had(write):
    """A new family begins with the facts of the family to which its name belonged before.

    That family may be new, too. The order of the families in the file does not matter.
    """
    path = str(write({"gemini-5-xenon-lite": {"max_output_tokens": 7000}, "gemini-5-Xenon": XENON}))
    family = family_of("models/gemini-5-xenon-lite-001", path)
    assert (family.name, family.known, family.levels) == ("gemini-5-xenon-lite", True, ("low", "xhigh"))
    assert (family.max_output_tokens, family.max_input_tokens) == (7000, 1_048_576)
    assert family.signatures_demanded
    assert not family.takes_penalties
    assert family_of("gemini-5-xenon", path).max_output_tokens == 5000
    assert family_of("gemini-5-xenon").name == "gemini"


def test_other_api_can_be_made_empty(write):
    path = write({"gemini-3.8-live": {"other_api": ""}})
    assert family_of("gemini-3.8-live", str(path)).other_api == ""


def test_models_with_and_without_a_catalog_do_not_change_each_other(write):
    """The models alternate, and two of them have different catalogs."""
    high = write({"gemini-3.8-flash": {"levels": ["high"]}}, "a.json")
    low = write({"gemini-3.8-flash": {"levels": ["low"]}}, "b.json")
    for _ in range(2):
        for path, sent in ((high, "high"), (None, "high"), (low, "low")):
            chat = ChatGeminiCompat(model="gemini-3.8-flash", catalog=path, **PLACES["ai_studio"])
            assert level(chat) == sent
            assert len(chat.preview("Hi.", reasoning_effort="low")[1]) == (path == high)


def test_environment_names_a_catalog_for_all_models_without_one(write, monkeypatch):
    """The argument `catalog` takes precedence. The files are not merged, even if they name different families or facts."""
    low = {"levels": ["low"], "max_output_tokens": 77}
    monkeypatch.setenv(CATALOG_VARIABLE, str(write({"gemini-3.8-flash": low, "gemini-3.7-flash": low}, "a.json")))
    assert level(ChatGeminiCompat(model="gemini-3.8-flash", api_key="k")) == "low"
    other = write({"gemini-3.8-flash": {"levels": ["medium"]}}, "b.json")
    chat = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", catalog=other)
    assert (level(chat), chat.profile["max_output_tokens"]) == ("medium", 65_536)
    assert level(ChatGeminiCompat(model="gemini-3.7-flash", api_key="k", catalog=other)) == "high"
    assert level(ChatGeminiCompat(model="gemini-3.7-flash", api_key="k")) == "low"
    monkeypatch.delenv(CATALOG_VARIABLE)
    assert level(ChatGeminiCompat(model="gemini-3.8-flash", api_key="k")) == "high"


def test_catalog_decides_whether_signatures_come_back(write):
    """Signatures of one model are sent to another model only if both have the same rules for signatures.

    In this test, only the catalog makes the rules of the two models the same.
    """
    fake = FakeGemini()
    origin = fake.chat_model("gemini-3.8-flash")
    reply = origin.invoke("Hi.")
    assert isinstance(reply, AIMessage)
    path = write({"gemini-2.5-pro": {"generation": "gemini-3"}})
    same = [FakeGemini().chat_model("gemini-2.5-pro", catalog=one)._connection.endpoint.family for one in (None, path)]
    assert [family.generation for family in same] == ["gemini-2.5", "gemini-2.5"]
    seen = [
        fake.chat_model("gemini-2.5-pro", catalog=one).preview([reply, ("user", "And?")])[0]["messages"][0]
        for one in (None, path)
    ]
    assert "thought_signature" not in json.dumps(seen[0])
    assert ("thought_signature" in json.dumps(seen[1])) == ("thought_signature" in json.dumps(reply.additional_kwargs))


class Answer(BaseModel):
    """A number."""

    value: int


def test_catalog_decides_how_structured_output_is_asked_for(write):
    """If the caller passes tools, models before Gemini 3 get the schema as an additional tool."""
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    path = write({"gemini-2.5-pro": {"generation": "gemini-3"}})
    for catalog, native in ((None, False), (path, True)):
        chat = FakeGemini().chat_model("gemini-2.5-pro", catalog=catalog)
        body, _ = chat.with_structured_output(Answer, tools=[tool]).preview("Hi.")
        assert ("response_format" in body) == native


def test_profile_has_the_name_and_dates_of_the_model_that_the_family_is_named_after(write):
    """The profile of `gemini-8-cyber` does not get the name and the dates of the model `gemini-8`.

    A profile has only the keys of the installed langchain-core.
    """
    dates = {"title": "X", "status": "deprecated", "release_date": "2026-01-02", "last_updated": "2026-01-03"}
    path = write({"gemini-8": dates})
    given = {"name": "X", "status": "deprecated", "release_date": "2026-01-02", "last_updated": "2026-01-03"}
    for model, has_dates in (("google/gemini-8-preview-001", True), ("gemini-8-cyber", False)):
        profile = ChatGeminiCompat(model=model, api_key="k", catalog=path).profile
        known = given.keys() & get_type_hints(ModelProfile).keys()
        assert {key: profile[key] for key in given if key in profile} == (
            {key: given[key] for key in known} if has_dates else {}
        )


TOML = """
[families."gemini-5-xenon"]
levels = ["low", "xhigh"]
max_output_tokens = { value = 5000, source = "a mail", grade = "reported", note = "By mail." }
end_on_vertex = { date = 2027-05-19, successor = "gemini-6" }
end_on_ai_studio.value = { date = "2027-05-20" }
end_on_ai_studio.grade = "reported"
"""


def test_toml_has_the_same_keys(write):
    """On Python 3.10, `tomli` reads the file. pytest depends on `tomli` there."""
    family = family_of("gemini-5-xenon", str(write(TOML, "facts.toml")))
    assert (family.levels, family.max_output_tokens) == (("low", "xhigh"), 5000)
    ends = [(str(end.date), end.successor, end.grade) for end in (family.end_on_vertex, family.end_on_ai_studio)]
    assert ends == [("2027-05-19", "gemini-6", "documented"), ("2027-05-20", "", "reported")]


def test_toml_without_a_reader_is_an_error_that_says_what_to_install(write, monkeypatch):
    """Python 3.10 has no TOML parser of its own."""
    monkeypatch.setattr(sys, "version_info", (3, 10))
    monkeypatch.setitem(sys.modules, "tomli", None)
    with pytest.raises(ValueError, match="pip install tomli"):
        family_of("gemini-5-xenon", str(write(TOML, "other.toml")))


@pytest.mark.parametrize(
    ("families", "said"),
    [
        ({"gemini-x": {"level": ["low"]}}, "has the unknown key `level`. Did you mean `levels`?"),
        ({"gemini-x": {"levels": ["low", "hgih"]}}, "Set it to a list of some of `minimal`, `low`"),
        ({"gemini-x": {"max_output_tokens": "5000"}}, "`families.gemini-x.max_output_tokens` is '5000'. Set it to"),
        ({"gemini-x": {"levels": {"value": ["low"], "grad": 1}}}, "has the unknown key `grad`. Did you mean `grade`?"),
        ({"gemini-x": {"end_on_vertex": {"date": "soon"}}}, "a table with `date`"),
        ({"gemini-x": []}, "`families.gemini-x` is []"),
        ("{", "is not valid JSON"),
        ('{"familys": {}}', "Did you mean `families`?"),
    ],
)
def test_mistake_names_the_file_the_key_and_what_is_allowed(write, monkeypatch, families, said):
    """The constructor raises the error, even if `profile` is set.

    The argument `catalog` or the variable `GEMINI_COMPAT_CATALOG` names the catalog file.
    """
    path = write(families)
    for options in ({}, {"profile": {"max_input_tokens": 5}}):
        with pytest.raises(ValueError, match=r"facts\.json") as caught:
            ChatGeminiCompat(model="gemini-x", api_key="k", catalog=path, **options)
        assert said in str(caught.value)
    monkeypatch.setenv(CATALOG_VARIABLE, str(path))
    with pytest.raises(ValueError, match=r"facts\.json") as caught:
        ChatGeminiCompat(model="gemini-x", api_key="k")
    assert said in str(caught.value)


def test_missing_file_is_an_error_that_names_both_ways(tmp_path):
    with pytest.raises(ValueError, match=f"No such file.*`catalog`.*{CATALOG_VARIABLE}"):
        ChatGeminiCompat(model="gemini-x", api_key="k", catalog=tmp_path / "none.json")


def test_call_cannot_name_a_catalog():
    with pytest.raises(ValueError, match="`catalog` belongs to the model"):
        ChatGeminiCompat(model="gemini-x", api_key="k").preview("Hi.", catalog="x")


def test_copies_keep_the_catalog(write):
    """This applies to copies, pickles and serialized constructors."""
    path = write({"gemini-3.8-flash": {"levels": ["low"]}})
    chat = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", catalog=path)
    copies = [chat.model_copy(), copy.deepcopy(chat), pickle.loads(pickle.dumps(chat))]
    assert [(level(one), one.profile["reasoning_effort_levels"]) for one in copies] == [("low", ["low"])] * 3
    assert chat.to_json()["kwargs"]["catalog"] == str(path)
    assert isinstance(path, Path)


def test_copy_for_another_model_has_the_profile_of_that_model():
    """A profile that the caller has set stays."""
    chat = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k")
    assert chat.model_copy(update={"model": "gemini-2.0-flash"}).profile["max_output_tokens"] == 8192
    assert chat.model_copy(update={"model_name": "gemma-4"}).profile is None
    assert chat.model_copy(update={"model": "gemini-2.0-flash", "profile": {"name": "x"}}).profile == {"name": "x"}
    chat.profile["max_input_tokens"] = 5
    assert chat.model_copy(update={"model": "gemini-2.0-flash"}).profile["max_input_tokens"] == 5
    own = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", profile={"max_input_tokens": 5})
    assert own.model_copy(update={"model": "gemini-2.0-flash"}).profile == {"max_input_tokens": 5}


def test_copies_do_not_share_a_profile():
    chat = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k")
    for other in (chat.model_copy(), copy.deepcopy(chat), pickle.loads(pickle.dumps(chat))):
        other.profile["max_input_tokens"] = 5
        assert chat.profile["max_input_tokens"] == 1_048_576
        assert copy.deepcopy(other).profile["max_input_tokens"] == 5
        assert pickle.loads(pickle.dumps(other)).profile["max_input_tokens"] == 5


def test_configured_model_has_its_own_profile():
    """`configurable_fields` builds the configured model from all fields of the first model."""
    chat = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k")
    for name in ("model", "model_name"):
        chain = chat.configurable_fields(**{name: ConfigurableField(id="model")})
        found, _ = chain.prepare({"configurable": {"model": "gemini-2.0-flash"}})
        assert (found.model, found.profile["max_output_tokens"]) == ("gemini-2.0-flash", 8192)
    own = ChatGeminiCompat(model="gemini-3.8-flash", api_key="k", profile={"max_input_tokens": 5})
    found, _ = own.configurable_fields(model=ConfigurableField(id="m")).prepare({"configurable": {"m": "gemini-2.0"}})
    assert found.profile == {"max_input_tokens": 5}


def test_profile_of_another_model_can_be_set():
    """A gateway may call a model by an alias, for example."""
    other = ChatGeminiCompat(model="gemini-2.0-flash", api_key="k").profile
    chat = ChatGeminiCompat(model="my-alias", profile=other, **PLACES["openai_compatible"])
    assert chat.profile["max_output_tokens"] == 8192


@pytest.mark.parametrize("key", FACTS)
def test_page_has_every_fact_and_what_is_allowed(key):
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "correct-the-catalog.md").read_text("utf-8")
    assert [line for line in page.splitlines() if line.startswith(f"| `{key}` |") and FACTS[key].allowed in line]
