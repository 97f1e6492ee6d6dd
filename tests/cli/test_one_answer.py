"""`chat -p`: one answer as text or JSON, prompts from standard input, and the exit code. Field case D11."""

import io
import json
import sys

import pytest
from langchain_core.messages import messages_from_dict

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat.cli import main
from langchain_gemini_compat.testing import Call, FakeGemini, Fault, Reply


@pytest.fixture
def ask(capsys, monkeypatch):
    """Run `chat` against a fake with `replies`; return exit code, output, errors and the fake."""
    monkeypatch.delenv("COLUMNS", raising=False)

    def run(*arguments, replies=None, stdin="", surface="ai_studio"):
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        fake = FakeGemini(replies, surface=surface)
        with fake.serve() as url:
            code = main(["chat", "--base-url", url, *arguments])
        output = capsys.readouterr()
        return code, output.out, output.err, fake

    return run


def test_prompt_gets_the_text_of_one_answer(ask):
    """The output has no labels and no thoughts, and thoughts are not requested."""
    code, out, err, fake = ask("-p", "Hi", "--system", "Be brief.", replies=["One\ntwo"])
    assert (code, out, err) == (0, "One\ntwo\n", "")
    assert [message["role"] for message in fake.requests[0].messages] == ["system", "user"]
    assert "include_thoughts" not in json.dumps(fake.requests[0].body)


def test_text_for_a_program_is_not_wrapped(ask, monkeypatch):
    """A variable `COLUMNS` changes nothing on a pipe."""
    monkeypatch.setenv("COLUMNS", "40")
    text = "word " * 30
    assert ask("-p", "Hi", replies=[text])[1] == f"{text}\n"


def test_dash_reads_the_prompt_from_standard_input(ask):
    code, out, _, fake = ask("-p", "-", stdin="Line one\nline two\n")
    assert (code, out) == (0, "Line one\nline two\n")
    assert len(fake.requests) == 1


@pytest.mark.parametrize("prompt", ["", "  ", "-"])
def test_empty_prompt_is_an_error(ask, prompt):
    code, out, err, _ = ask("-p", prompt)
    assert (code, out, err) == (2, "", "error: The prompt is empty.\n")


def test_json_without_prompt_is_an_error(ask):
    code, out, err, _ = ask("--json")
    assert (code, out) == (2, "")
    assert "-p TEXT" in err


def test_json_has_the_documented_keys(ask):
    code, out, err, _ = ask("--prompt", "Hi", "--json", replies=["Grüße"])
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert [*report] == ["text", "tool_calls", "refusal", "finish_reason", "model", "usage", "message"]
    assert report["text"] == "Grüße"
    assert report["tool_calls"] == []
    assert report["refusal"] is None
    assert report["finish_reason"] == "stop"
    assert report["model"] == "gemini-3.8-flash"
    assert report["usage"]["total_tokens"] == report["usage"]["input_tokens"] + report["usage"]["output_tokens"]
    (message,) = messages_from_dict([report["message"]])
    assert message.text == "Grüße"


def test_json_has_tool_calls(ask):
    """A model may call a tool that nobody has declared."""
    _, out, _, _ = ask("-p", "Hi", "--json", replies=[Reply(calls=[Call("search", {"q": "x"})])])
    (call,) = json.loads(out)["tool_calls"]
    assert (call["name"], call["args"]) == ("search", {"q": "x"})


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_error_is_one_line_on_standard_error(ask, options):
    code, out, err, _ = ask("-p", "Hi", *options, replies=[Fault.context_overflow()])
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_refusal_is_a_failure(ask, options):
    """A refusal gives exit code 1. Its text is on standard error, and with `--json` also on standard output."""
    code, out, err, _ = ask("-p", "Hi", *options, replies=[Fault.blocked("SAFETY")])
    assert code == 1
    assert err.startswith("error: The model refused to answer: ")
    assert out == "" if not options else json.loads(out)["refusal"] in err


def test_incomplete_answer_has_a_note(ask):
    code, out, err, _ = ask("-p", "Hi", replies=[Fault.length("Half of")])
    assert (code, out) == (0, "Half of\n")
    assert err.startswith("note: The answer is incomplete")


def test_text_before_a_broken_stream_ends_with_a_line_end(ask):
    """The error message begins on a line of its own."""
    code, out, err, _ = ask("-p", "Hi", replies=[Fault.cut_stream("Half of ")])
    assert (code, out) == (1, "Half of \n")
    assert err.startswith("error: ")


def test_ctrl_c_ends_with_130(ask, monkeypatch):
    def interrupt(self, messages):
        raise KeyboardInterrupt

    monkeypatch.setattr(ChatGeminiCompat, "stream", interrupt)
    assert ask("-p", "Hi")[:3] == (130, "", "\n")
    assert ask(stdin="Hi\nagain\n")[:3] == (130, "", "\n")
