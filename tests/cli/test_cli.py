"""The command `langchain-gemini-compat`: its subcommands, their error messages, and hidden secrets."""

import io
import json
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from typing import Literal

import pytest
from langchain.agents import create_agent
from wire import http

from langchain_gemini_compat import ChatGeminiCompat
from langchain_gemini_compat._transport import retry as _retry
from langchain_gemini_compat.cli import _terminal, fake, main
from langchain_gemini_compat.cli._demo_agent import convert_currency, get_weather
from langchain_gemini_compat.cli._fake_rules import answer_tools
from langchain_gemini_compat.cli._options import Target, is_loopback
from langchain_gemini_compat.cli._terminal import Screen, Transcript
from langchain_gemini_compat.cli._wire_log import WireLog
from langchain_gemini_compat.testing import Call, FakeGemini, Fault, Reply

CANARY = "canary-7f3a91c2e5"
RUN = [sys.executable, "-W", "error", "-m", "langchain_gemini_compat"]


@pytest.fixture(autouse=True)
def _canaries_in_the_environment(monkeypatch, tmp_path):
    """Set keys that no output may contain. There is no login and no network."""
    monkeypatch.setenv("GOOGLE_API_KEY", CANARY)
    monkeypatch.setenv("GEMINI_API_KEY", CANARY)
    for name in ("GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION", "GOOGLE_APPLICATION_CREDENTIALS", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{CANARY}@127.0.0.1:9")


@pytest.fixture
def run(capsys, monkeypatch):
    """Run `main`, check that no output has a key, and return exit code, output and errors."""

    def run_main(*arguments, lines=(), stdin=io.StringIO):
        monkeypatch.setattr(sys, "stdin", stdin("".join(f"{line}\n" for line in lines)))
        try:
            code = main(arguments)
        except SystemExit as end:
            code = end.code
        output = capsys.readouterr()
        assert CANARY not in output.out + output.err
        return code, output.out, output.err

    return run_main


class Terminal(io.StringIO):
    """A text stream whose method `isatty` returns `True`."""

    def isatty(self):
        return True


def test_parser_imports_no_optional_package():
    code = (
        "import sys; before = set(sys.modules); "
        "from langchain_gemini_compat.cli._parser import build_parser; build_parser(); "
        "names = {'langchain', 'openai', 'uvicorn'}; print(sorted(names & (sys.modules.keys() - before)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_command_without_subcommand_prints_the_help(run):
    code, out, _ = run()
    assert code == 2
    assert all(name in out for name in ("demo", "doctor", "chat", "fake", "completion"))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--api-key", CANARY], "unknown options: --api-key (do not put a key on the command line"),
        ([f"--api-key={CANARY}"], "unknown options: --api-key (do not put a key on the command line"),
        ([CANARY], "arguments that this command does not accept"),
    ],
)
def test_key_on_the_command_line_is_refused_and_not_repeated(run, arguments, reason):
    """The fixture `run` searches the output for the key."""
    code, _, err = run("chat", *arguments)
    assert code == 2
    assert reason in err


def test_key_given_as_variable_name_is_not_repeated(run):
    """A key in place of the variable's name is a likely mistake with `--api-key-env`."""
    code, _, err = run("doctor", "--api-key-env", CANARY)
    assert code == 2
    assert "not the key" in err


@pytest.mark.parametrize(
    ("surface", "model"), [("vertex", "google/gemini-3.8-flash"), ("ai_studio", "gemini-3.8-flash")]
)
def test_demo_shows_tool_steps_and_signatures(run, surface, model):
    """The demo has parallel calls and a retry. It sends each signature back with the call to which it belongs."""
    code, out, err = run("demo", "--surface", surface)
    assert (code, err) == (0, "")
    assert out.startswith(f"{model} at http://127.0.0.1:")
    steps = [line.split()[0] for line in out.split("\n\n")[0].splitlines()[1:]]
    assert steps == [
        "you", "thinking", "call", "call", "result", "result", "thinking", "call", "result", "thinking", "answer",
    ]  # fmt: skip
    assert 'call      get_weather {"city":"Oslo"}' in out
    assert "120.00 EUR = 1380.00 NOK" in out
    assert len(re.findall(r"#[134] +200", out)) == 3
    assert len(re.findall(r"200 verified", out)) == 2
    assert re.search(r"#2 +503 retried", out)
    # The first reply has two parallel tool calls, and one of them has a signature. Each of the three later requests
    # sends this signature back.
    signature = re.search(r"#1 +200 +- +\S+ (\S+…\S+)", out)[1]
    assert out.count(f"{signature} from #1") == 3
    assert out.count("(unsigned)") == 1
    assert out.count("from #3") == 1
    assert "Retries: 1. Placeholder signatures: 0." in out
    assert out.endswith(
        "Next: run `langchain-gemini-compat doctor` to check your own setup. The docs: docs/index.md in the clone.\n"
    )
    assert "\x1b" not in out


def test_demo_streams_arguments_of_calls(monkeypatch):
    """The transcript prints a few characters at a time, as they arrive."""
    pieces = []
    monkeypatch.setattr(Transcript, "piece", lambda self, kind, text, key=None: pieces.append((kind, text)))
    assert main(["demo"]) == 0
    texts = [text for kind, text in pieces if kind == "call" and text]
    assert texts[0].startswith("get_weather")
    assert len(texts) > 12
    assert all(len(text.removeprefix("get_weather ").removeprefix("convert_currency ")) <= 4 for text in texts)


def test_demo_live_calls_the_given_endpoint(run):
    """After a refusal, the demo prints the table and one error line."""
    with FakeGemini([Fault.model_not_found()], surface="ai_studio").serve() as url:
        code, out, err = run("demo", "--live", "--base-url", url)
    assert code == 1
    assert "404 refused" in out
    assert err.startswith("error: ")
    assert "Traceback" not in err


def test_demo_table_has_a_row_for_a_discarded_reply(run):
    """The package retries an empty reply, although its status is 200. The table has a row for each such reply."""
    script = [Fault.empty_reply(), Reply(calls=[Call("get_weather", {"city": "Oslo"})]), Fault.empty_reply(), "Cold."]
    with FakeGemini(script, surface="ai_studio").serve() as url:
        code, out, err = run("demo", "--live", "--base-url", url)
    assert (code, err) == (0, "")
    signature = re.search(r"#2 +200 +- +\S+ (\S+…\S+)", out)[1]
    assert re.search(r"#1 +200 retried +- +- +-", out)
    assert re.search(rf"#3 +200 retried +\S+ {re.escape(signature)} from #2 +-", out)
    assert re.search(rf"#4 +200 verified +\S+ {re.escape(signature)} from #2 +-", out)
    assert "Retries: 2." in out


def test_demo_without_answer_says_so(run, monkeypatch):
    """A missing answer is not shown as a refusal."""
    monkeypatch.setattr(_retry, "_FIRST_WAIT", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    code, out, err = run("demo", "--live", "--base-url", f"http://127.0.0.1:{port}/v1beta/openai")
    assert code == 1
    assert re.search(r"#1 +no answer, retried", out)
    assert re.search(r"#3 +no answer +-", out)
    assert "refused" not in out
    assert err.startswith("error: Could not reach the server")


def test_demo_offline_uses_no_proxy(run, monkeypatch):
    """The endpoint is on this machine."""
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTPS_PROXY", "foo://bar")
    code, _, err = run("demo")
    assert (code, err) == (0, "")


@pytest.mark.parametrize("arguments", [["chat"], ["demo", "--live", "--surface", "ai_studio"]])
def test_invalid_proxy_is_an_error(run, monkeypatch, arguments):
    """The message has no traceback, and no URL, which may contain a password."""
    monkeypatch.setenv("HTTPS_PROXY", "foo://bar")
    code, out, err = run(*arguments, lines=["hi"])
    assert code == 1
    assert re.search(r"^error: .*proxy", out + err, re.MULTILINE)
    assert "roxy" in out + err


@pytest.mark.parametrize("command_line", [["chat"], ["doctor"], ["demo", "--live"]])
@pytest.mark.parametrize(
    "url", ["http://[bad", f"http://me:{CANARY}@[bad", "http://host:99999/v1", f"http://host:{CANARY}", "host/v1", ""]
)
def test_invalid_base_url_is_an_error(run, command_line, url):
    """The message does not repeat the URL, which may contain a password."""
    code, out, err = run(*command_line, "--base-url", url, lines=["hi"])
    assert (code, out) == (2, "")
    assert re.fullmatch(r"error: --base-url is not a server URL\. [^\n]+\n", err)


@pytest.mark.parametrize("err", [ValueError("odd"), FileNotFoundError("no CA file"), http.InvalidURL("odd")])
def test_settings_that_a_library_refuses_are_an_error(run, monkeypatch, err):

    def refuse(self, **options):
        raise err

    monkeypatch.setattr(Target, "build_model", refuse)
    code, out, said = run("chat", lines=["hi"])
    assert (code, out) == (1, "")
    assert said == f"error: {err} ({type(err).__name__}). Check URLs, proxy settings and certificates.\n"


def test_password_of_an_invalid_proxy_url_is_hidden(run, monkeypatch):
    """It is hidden although no parser accepts the URL."""
    monkeypatch.setenv("HTTPS_PROXY", f"foo://user:{CANARY}@[bad")
    monkeypatch.delenv("GOOGLE_API_KEY")
    monkeypatch.setenv("GEMINI_API_KEY", "another-key")
    code, out, err = run("chat", lines=["hi"])
    assert code == 1
    assert "error: " in out + err


def test_demo_without_live_refuses_another_endpoint(run):
    """Only `demo --live` uses an endpoint from the arguments. Without the error, `demo` would silently ignore it."""
    code, _, err = run("demo", "--base-url", "http://127.0.0.1:1/v1")
    assert code == 2
    assert "--live" in err


def test_log_names_placeholder_and_unknown_signatures():
    """The log marks the first signature as a placeholder, and the second as of unknown origin."""
    log = WireLog()
    with FakeGemini(["Done."], surface="ai_studio", strict=False).serve() as url, log.open_client() as client:
        for signature in ("skip_thought_signature_validator", "c29tZXRoaW5nIGVsc2U="):
            call = {
                "id": "call_1",
                "type": "function",
                "function": {"name": "f", "arguments": "{}"},
                "extra_content": {"google": {"thought_signature": signature}},
            }
            messages = [{"role": "assistant", "tool_calls": [call]}]
            client.post(f"{url}/chat/completions", json={"model": "gemini-3.8-flash", "messages": messages})
    assert log.placeholders == 1
    assert [row[2] for row in log.rows([])] == ["call_1 placeholder", "call_1 c29t…Vsc2U= of unknown origin"]


def test_chat_answers_piped_lines_and_keeps_the_history(run):
    """Thoughts have a label, `/usage` counts tokens, and `/reset` clears the history."""
    server = FakeGemini(lambda request: Reply(f"{len(request.messages)} so far", thoughts="Let me count."))
    with server.serve() as url:
        code, out, _ = run("chat", "--base-url", url, lines=["hi", "", "more", "/usage", "/reset", "hi", "/quit", "no"])
    assert code == 0
    answers = [line for line in out.splitlines() if line.startswith("answer")]
    assert answers == ["answer    1 so far", "answer    3 so far", "answer    1 so far"]
    assert out.count("thinking  Let me count.\n") == 3
    assert re.search(r"^\d+ tokens in \(0 cached\), \d+ out \(\d+ thoughts\), \d+ in total\.$", out, re.MULTILINE)
    assert len(server.requests) == 3


def test_chat_continues_after_an_error(run):
    """The failed turn is not in the history, and the exit code is 1."""
    server = FakeGemini([Fault.context_overflow(), "fine"])
    with server.serve() as url:
        code, out, err = run("chat", "--base-url", url, lines=["too much", "hi"])
    assert code == 1
    assert re.fullmatch(r"error: [^\n]*Shorten the input[^\n]*\n", err)
    assert "answer    fine" in out
    assert len(server.requests[-1].messages) == 1


def test_chat_options_set_system_message_and_thoughts(run):
    """For a compatible server, the option `--no-thoughts` adds none of Google's fields to the request."""
    for surface in ("vertex", "openai_compatible"):
        server = FakeGemini(surface=surface)
        with server.serve() as url:
            assert run("chat", "--base-url", url, "--system", "Be brief.", "--no-thoughts", lines=["hi"])[0] == 0
        assert [message["role"] for message in server.requests[0].messages] == ["system", "user"]
        assert "extra_body" not in server.requests[0].body


def test_chat_without_endpoint_is_an_error(run, monkeypatch):
    monkeypatch.delenv("GOOGLE_API_KEY")
    monkeypatch.delenv("GEMINI_API_KEY")
    code, out, err = run("chat", lines=["hi"])
    assert (code, out) == (2, "")
    assert err.startswith("error: No endpoint: ")
    assert err.count("\n") == 1


def test_key_of_the_environment_is_not_sent_to_a_local_server(run):
    """A server on this machine gets a placeholder for the key, even if its URL has Google's paths.

    If `--api-key-env` names a variable, the server gets the key in this variable.
    """
    server = FakeGemini(surface="ai_studio")
    with server.serve() as url:
        run("chat", "--base-url", url, lines=["hi"])
        run("chat", "--base-url", url, "--api-key-env", "GOOGLE_API_KEY", lines=["hi"])
    tails = [request.headers["authorization"][-4:] for request in server.requests]
    assert tails == ["-key"[-4:], CANARY[-4:]]


@pytest.mark.parametrize(
    ("url", "local"),
    [("http://localhost:1/v1", True), ("http://[::1]:1", True), ("https://127.0.0.1.example.com", False), ("", False)],
)
def test_loopback_is_recognised_by_host(url, local):
    """A name that starts with `127.0.0.1` is not an address."""
    assert is_loopback(url) is local


def test_interrupted_command_prints_no_traceback(run, monkeypatch):

    def interrupt(self, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(Target, "build_model", interrupt)
    assert run("chat", lines=["hi"]) == (130, "", "\n")


def test_closed_pipe_prints_no_error():
    """The reader closes the pipe early, as in `langchain-gemini-compat demo | head -1`."""
    process = subprocess.Popen([*RUN, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 141
    assert process.stderr.read() == ""
    process.stderr.close()


def test_fake_serves_logs_and_stops():
    """The process prints its URL, examples and one line for each request, and ends on SIGINT."""
    process = subprocess.Popen(
        [*RUN, "fake", "--port", "0", "--rule", "tools"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        # Read all lines that were printed so far. If `readline` left lines in its buffer, `communicate` would lose
        # them.
        printed = "".join(iter(process.stdout.readline, "Press Ctrl-C to stop. Requests:\n"))
        url = printed.partition("\n")[0]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1beta/openai", url)
        parameters = {"type": "object", "properties": {"n": {"type": "integer"}}}
        tool = {"type": "function", "function": {"name": "f", "parameters": parameters}}
        body = {"model": "gemini-3.8-flash", "messages": [{"role": "user", "content": "Hi"}], "tools": [tool]}
        call = json.loads(post(url, body))["choices"][0]["message"]["tool_calls"][0]
        assert call["function"] == {"name": "f", "arguments": '{"n":1}'}
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert err == ""
    assert CANARY not in printed + out
    assert "from langchain_gemini_compat import ChatGeminiCompat" in printed
    assert f"  {url}/chat/completions \\\n" in printed
    assert out == "POST completions gemini-3.8-flash: 200 ok\n\nStopped after 1 request.\n"


def post(url, body):
    """Return the answer to `body`, even if it is an error."""
    headers = {"Authorization": f"Bearer {CANARY}"}
    request = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.read()
    except urllib.error.HTTPError as err:
        with err:
            return err.read()


def test_fake_prints_python_that_runs(run, monkeypatch, capsys):
    """The printed Python code and the printed curl command both run. The log names the rule that a request breaks."""
    answers, curl = [], []

    def use_it():
        printed = capsys.readouterr().out
        url, code = printed.partition("\n")[0], printed[printed.index("from ") : printed.index("curl ")]
        exec(code, {"print": answers.append})
        request = printed[printed.index("curl ") : printed.index("Press ")]
        curl.append(subprocess.run(["bash", "-c", request], capture_output=True, text=True, check=True).stdout)
        post(url, {"model": "gemini-3.8-flash", "messages": [{"role": "user", "content": "Hi"}]})
        raise KeyboardInterrupt

    monkeypatch.setattr(fake, "_wait", use_it)
    code, out, _ = run("fake", "--port", "0", "--surface", "vertex")
    assert code == 130
    assert answers == ["Hi"]
    assert json.loads(curl[0])["choices"][0]["message"]["content"].endswith("Hi")
    assert out.count("POST completions google/gemini-3.8-flash: 200 ok\n") == 2
    assert "POST completions gemini-3.8-flash: 400 model-name: Malformed publisher model" in out


def test_used_port_is_an_error(run):
    """The message is not a traceback."""
    with FakeGemini().serve() as url:
        port = url.split(":")[2].partition("/")[0]
        code, _, err = run("fake", "--port", port)
    assert code == 2
    assert f"Port {port} of 127.0.0.1 cannot be used" in err


@pytest.mark.parametrize("port", ["99999", "-1", "http", ""])
def test_invalid_port_is_an_error(run, port):
    """The message does not contain the name of the function that converts the port. argparse's own message would."""
    code, _, err = run("fake", f"--port={port}")
    assert code == 2
    assert "argument --port: a port is a number from 0 to 65535" in err
    assert "_port" not in err


def test_screen_pauses_only_on_a_terminal(monkeypatch):
    waits = []
    monkeypatch.setattr(_terminal.time, "sleep", waits.append)
    Screen(io.StringIO()).pause(1)
    Screen(Terminal()).pause(2)
    assert waits == [2]


def test_screen_removes_control_codes_and_secrets():
    """Text of a model or server must not control the terminal or show a key."""
    stream = io.StringIO()
    screen = Screen(stream, secrets=[CANARY, "short"])
    screen.line(f"\x1b[31mred\x07 {CANARY} [bold]short[/bold]\x9b2J")
    assert stream.getvalue() == "[31mred *** [bold]short[/bold]2J\n"


def test_transcript_indents_further_lines():
    """If a piece of text ends with a line end, this line end is printed only when more text follows."""
    stream = io.StringIO()
    transcript = Transcript(Screen(stream))
    for text in ("\n\none\n", "two\nthree\n"):
        transcript.piece("answer", text)
    transcript.entry("result", "")
    assert stream.getvalue() == "answer    one\n          two\n          three\nresult    (nothing)\n"


def test_warning_is_printed_on_one_line(run, monkeypatch):
    """The printed warning has no file name and no line number."""
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    code, out, err = run("chat", lines=["hi"])
    assert code == 1
    assert out == ""
    note, error = err.splitlines()
    assert note.startswith("note: Both GOOGLE_CLOUD_PROJECT and GOOGLE_API_KEY are set. ")
    assert error.startswith("error: No Google credentials were found.")


def test_tools_rule_calls_each_tool_once_and_then_answers():
    """Because of the final answer, an agent that uses `fake --rule tools` comes to an end."""

    def tell(amount: int, unit: str, exact: bool, kind: Literal["a", "b"]) -> str:
        """Tell."""
        return f"{amount} {unit} {exact} {kind}"

    agent = create_agent(FakeGemini(answer_tools).chat_model(), tools=[tell])
    messages = agent.invoke({"messages": [("user", "go")]})["messages"]
    assert messages[1].tool_calls[0]["args"] == {"amount": 1, "unit": "unit", "exact": True, "kind": "a"}
    assert messages[-1].text == "The tools said: 1 unit True a"


def test_chat_on_a_terminal_has_a_greeting_and_can_stop_a_reply(run, monkeypatch):
    """The exit code is 0 even if a turn has failed."""
    lines = iter(["/what", "hi", "again"])
    prompts = []

    def ask(prompt):
        prompts.append(prompt)
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    stream = ChatGeminiCompat.stream
    stops = iter([True, False])

    def interrupted(self, messages):
        for chunk in stream(self, messages):
            yield chunk
            if next(stops, False):
                raise KeyboardInterrupt

    monkeypatch.setattr(ChatGeminiCompat, "stream", interrupted)
    monkeypatch.setattr("builtins.input", ask)
    with FakeGemini(["long story", Fault.bad_key()]).serve() as url:
        code, out, err = run("chat", "--base-url", url, stdin=Terminal)
    assert code == 0
    assert prompts == ["you       "] * 4
    assert out.splitlines()[0].startswith("gemini-3.8-flash on ai_studio. /reset")
    assert "(stopped)" in out
    assert err.startswith("error: ")


def test_demo_tools_answer_unknown_arguments():
    """With `demo --live`, a real model may call the tools of the demo with any arguments."""
    assert convert_currency(1, "EUR", "XYZ") == "There is no rate from EUR to XYZ. Available: EUR, NOK, USD."
    assert get_weather("Rome") == "Rome: unknown, 0 degrees Celsius"


@pytest.mark.parametrize(("streamed", "status"), [(False, 503), (True, 200)])
def test_fake_answers_every_request_with_the_fault(run, monkeypatch, capsys, streamed, status):
    """The log names the fault, because the status may not show it: a stream with an error has status 200."""
    statuses = []

    def use_it():
        url = capsys.readouterr().out.partition("\n")[0]
        for _ in range(2):
            body = {"model": "gemini-3.8-flash", "messages": [{"role": "user", "content": "Hi"}], "stream": streamed}
            statuses.append(http.post(f"{url}/chat/completions", json=body, headers={"Authorization": "Bearer x"}))
        raise KeyboardInterrupt

    monkeypatch.setattr(fake, "_wait", use_it)
    code, out, _ = run("fake", "--port", "0", "--fault", "error_in_stream_data_object")
    assert code == 130
    assert [answer.status_code for answer in statuses] == [status, status]
    assert out.count(f"{status} fault error_in_stream_data_object\n") == 2


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("overload", "did you mean overloaded"),
        ("Rate-Limit", "rate_limit_per_minute"),
        ("zzz", "the faults are rate_limit"),
    ],
)
def test_unknown_fault_lists_near_names(run, name, hint):
    code, out, err = run("fake", "--fault", name)
    assert (code, out) == (2, "")
    assert f"there is no fault {name!r}; " in err
    assert hint in err


def test_fake_takes_a_rule_or_a_fault(run):
    code, _, err = run("fake", "--fault", "overloaded", "--rule", "tools")
    assert code == 2
    assert "not allowed with argument" in err


@pytest.mark.parametrize(("host", "shown"), [("0.0.0.0", "127.0.0.1"), ("localhost", "localhost")])
def test_fake_listens_on_the_given_host(run, monkeypatch, capsys, host, shown):
    """For an address that means all interfaces, the printed URL works on this machine."""
    answers = []

    def use_it():
        answers.append(capsys.readouterr().out.partition("\n")[0])
        answers.append(http.get(f"{answers[0]}/models", headers={"Authorization": "Bearer x"}).status_code)
        raise KeyboardInterrupt

    monkeypatch.setattr(fake, "_wait", use_it)
    assert run("fake", "--port", "0", "--host", host)[0] == 130
    assert answers[0].startswith(f"http://{shown}:")
    assert answers[1] == 200


def test_host_of_another_machine_is_an_error(run):
    code, _, err = run("fake", "--port", "0", "--host", "192.0.2.1")
    assert code == 2
    assert err.startswith("error: Port 0 of 192.0.2.1 cannot be used")
