"""The command `langchain-gemini-compat`: its subcommands run, fail in sentences, and print no secret."""

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
from rich.console import Console
from wire import http

import langchain_gemini_compat.cli as command
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
RUN = [
    sys.executable,
    "-W",
    "error",
    "-c",
    "import sys; from langchain_gemini_compat.cli import main; sys.exit(main())",
]


@pytest.fixture(autouse=True)
def _canaries_in_the_environment(monkeypatch, tmp_path):
    """Keys that must never be seen, no login, and no way out of this machine."""
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
    """Run `main` with arguments and lines of input; exit code, output and errors, neither with a key in it."""

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
    """A stream that says somebody watches."""

    def isatty(self):
        return True


def test_without_the_extra_one_sentence_says_what_to_install(run, monkeypatch):
    """No traceback and no help text."""
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == "rich" else object())
    code, out, err = run("demo")
    assert code == 2
    assert out == ""
    assert err == "The command needs rich: run `pip install rich`.\n"


def test_the_extra_is_not_loaded_before_it_is_looked_for():
    """Parsing and help need neither rich nor langchain, openai nor the server library."""
    code = (
        "import sys; from langchain_gemini_compat.cli import _build_parser; _build_parser(); "
        "print([name for name in ('langchain', 'openai', 'rich', 'uvicorn') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_no_subcommand_prints_the_help(run):
    """And fails, as nothing was done."""
    code, out, _ = run()
    assert code == 2
    assert all(name in out for name in ("demo", "doctor", "chat", "fake"))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--api-key", CANARY], "unknown options: --api-key (do not put a key on the command line"),
        ([f"--api-key={CANARY}"], "unknown options: --api-key (do not put a key on the command line"),
        ([CANARY], "arguments that this command does not accept"),
    ],
)
def test_a_key_on_the_command_line_is_refused_and_not_repeated(run, arguments, reason):
    """The fixture looks for the key in everything printed."""
    code, _, err = run("chat", *arguments)
    assert code == 2
    assert reason in err


def test_a_key_in_place_of_the_name_of_a_variable_is_not_repeated(run):
    """The commonest slip with `--api-key-env`."""
    code, _, err = run("doctor", "--api-key-env", CANARY)
    assert code == 2
    assert "not the key" in err


@pytest.mark.parametrize(
    ("surface", "model"), [("vertex", "google/gemini-3.8-flash"), ("ai_studio", "gemini-3.8-flash")]
)
def test_the_demo_shows_two_tool_steps_and_the_way_of_their_signatures(run, surface, model):
    """End to end over loopback: parallel calls, a retry, and each signature back where it belongs."""
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
    # The first call is signed and its sibling is not; the signature goes back with all three later requests.
    signature = re.search(r"#1 +200 +- +\S+ (\S+…\S+)", out)[1]
    assert out.count(f"{signature} from #1") == 3
    assert out.count("(unsigned)") == 1
    assert out.count("from #3") == 1
    assert "Retries: 1. Placeholder signatures: 0." in out
    assert "\x1b" not in out


def test_arguments_of_calls_come_in_pieces(monkeypatch):
    """What the demo shows is what came: `get_weather` and its arguments a few characters at a time."""
    pieces = []
    monkeypatch.setattr(Transcript, "piece", lambda self, kind, text, key=None: pieces.append((kind, text)))
    assert main(["demo"]) == 0
    texts = [text for kind, text in pieces if kind == "call" and text]
    assert texts[0].startswith("get_weather")
    assert len(texts) > 12
    assert all(len(text.removeprefix("get_weather ").removeprefix("convert_currency ")) <= 4 for text in texts)


def test_the_demo_takes_a_live_endpoint_by_its_options(run):
    """`--live` goes where the options lead; a refusal ends in a table and one line."""
    with FakeGemini([Fault.model_not_found()], surface="ai_studio").serve() as url:
        code, out, err = run("demo", "--live", "--base-url", url)
    assert code == 1
    assert "404 refused" in out
    assert err.startswith("error: ")
    assert "Traceback" not in err


def test_a_reply_that_was_thrown_away_keeps_the_table_in_step(run):
    """An empty reply is status 200 and sent anew: what came after it stands beside its own request."""
    script = [Fault.empty_reply(), Reply(calls=[Call("get_weather", {"city": "Oslo"})]), Fault.empty_reply(), "Cold."]
    with FakeGemini(script, surface="ai_studio").serve() as url:
        code, out, err = run("demo", "--live", "--base-url", url)
    assert (code, err) == (0, "")
    signature = re.search(r"#2 +200 +- +\S+ (\S+…\S+)", out)[1]
    assert re.search(r"#1 +200 retried +- +- +-", out)
    assert re.search(rf"#3 +200 retried +\S+ {re.escape(signature)} from #2 +-", out)
    assert re.search(rf"#4 +200 verified +\S+ {re.escape(signature)} from #2 +-", out)
    assert "Retries: 2." in out


def test_a_demo_that_reaches_nobody_says_so(run, monkeypatch):
    """No answer is no refusal, and proves nothing about signatures."""
    monkeypatch.setattr(_retry, "_FIRST_WAIT", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    code, out, err = run("demo", "--live", "--base-url", f"http://127.0.0.1:{port}/v1beta/openai")
    assert code == 1
    assert re.search(r"#1 +no answer, retried", out)
    assert re.search(r"#3 +no answer +-", out)
    assert "refused" not in out
    assert err.startswith("error: Could not reach the server")


def test_the_demo_of_its_own_endpoint_goes_around_proxies(run, monkeypatch):
    """The endpoint is on this machine, whatever the environment says."""
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTPS_PROXY", "foo://bar")
    code, _, err = run("demo")
    assert (code, err) == (0, "")


@pytest.mark.parametrize("arguments", [["chat"], ["demo", "--live", "--surface", "ai_studio"]])
def test_a_proxy_that_makes_no_sense_is_told(run, monkeypatch, arguments):
    """In one sentence, without a traceback and without the address, which may hold a password."""
    monkeypatch.setenv("HTTPS_PROXY", "foo://bar")
    code, out, err = run(*arguments, lines=["hi"])
    assert code == 1
    assert re.search(r"^error: .*proxy", out + err, re.MULTILINE)
    assert "roxy" in out + err


@pytest.mark.parametrize("command_line", [["chat"], ["doctor"], ["demo", "--live"]])
@pytest.mark.parametrize(
    "url", ["http://[bad", f"http://me:{CANARY}@[bad", "http://host:99999/v1", f"http://host:{CANARY}", "host/v1", ""]
)
def test_a_base_url_that_is_none_is_told(run, command_line, url):
    """One sentence, which does not repeat what may hold a password."""
    code, out, err = run(*command_line, "--base-url", url, lines=["hi"])
    assert (code, out) == (2, "")
    assert re.fullmatch(r"error: --base-url is not a server URL\. [^\n]+\n", err)


@pytest.mark.parametrize("err", [ValueError("odd"), FileNotFoundError("no CA file"), http.InvalidURL("odd")])
def test_settings_that_a_library_refuses_end_in_a_sentence(run, monkeypatch, err):
    """Whatever of these surfaces, and wherever."""

    def refuse(self, **options):
        raise err

    monkeypatch.setattr(Target, "build_model", refuse)
    code, out, said = run("chat", lines=["hi"])
    assert (code, out) == (1, "")
    assert said == f"error: {err} ({type(err).__name__}). Check URLs, proxy settings and certificates.\n"


def test_a_password_of_a_broken_proxy_url_is_a_secret(run, monkeypatch):
    """It is hidden, though no parser takes the URL; the fixture looks for it."""
    monkeypatch.setenv("HTTPS_PROXY", f"foo://user:{CANARY}@[bad")
    monkeypatch.delenv("GOOGLE_API_KEY")
    monkeypatch.setenv("GEMINI_API_KEY", "another-key")
    code, out, err = run("chat", lines=["hi"])
    assert code == 1
    assert "error: " in out + err


def test_the_demo_without_live_takes_no_other_endpoint(run):
    """It would be left unused in silence."""
    code, _, err = run("demo", "--base-url", "http://127.0.0.1:1/v1")
    assert code == 2
    assert "--live" in err


def test_a_lost_signature_shows_in_the_table():
    """The log reads requests as they leave: a stand-in and a signature of unknown origin are named."""
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
    """Thoughts are labelled, `/usage` counts, `/reset` forgets."""
    server = FakeGemini(lambda request: Reply(f"{len(request.messages)} so far", thoughts="Let me count."))
    with server.serve() as url:
        code, out, _ = run("chat", "--base-url", url, lines=["hi", "", "more", "/usage", "/reset", "hi", "/quit", "no"])
    assert code == 0
    answers = [line for line in out.splitlines() if line.startswith("answer")]
    assert answers == ["answer    1 so far", "answer    3 so far", "answer    1 so far"]
    assert out.count("thinking  Let me count.\n") == 3
    assert re.search(r"^\d+ tokens in \(0 cached\), \d+ out \(\d+ thoughts\), \d+ in total\.$", out, re.MULTILINE)
    assert len(server.requests) == 3


def test_an_error_costs_one_turn_and_not_the_chat(run):
    """The library's text on one line, the failed turn out of the history, and a failing exit code for scripts."""
    server = FakeGemini([Fault.context_overflow(), "fine"])
    with server.serve() as url:
        code, out, err = run("chat", "--base-url", url, lines=["too much", "hi"])
    assert code == 1
    assert re.search(r"^error: .*Shorten the input.*$", out, re.MULTILINE)
    assert "answer    fine" in out
    assert "Traceback" not in out + err
    assert len(server.requests[-1].messages) == 1


def test_chat_sends_a_system_message_and_no_thoughts_on_demand(run):
    """Options of `chat`; a compatible server is asked for nothing of Google's."""
    for surface in ("vertex", "openai_compatible"):
        server = FakeGemini(surface=surface)
        with server.serve() as url:
            assert run("chat", "--base-url", url, "--system", "Be brief.", "--no-thoughts", lines=["hi"])[0] == 0
        assert [message["role"] for message in server.requests[0].messages] == ["system", "user"]
        assert "extra_body" not in server.requests[0].body


def test_chat_without_any_endpoint_says_what_to_set(run, monkeypatch):
    """One sentence on standard error."""
    monkeypatch.delenv("GOOGLE_API_KEY")
    monkeypatch.delenv("GEMINI_API_KEY")
    code, out, err = run("chat", lines=["hi"])
    assert (code, out) == (2, "")
    assert err.startswith("error: No endpoint: ")
    assert err.count("\n") == 1


def test_a_key_of_the_environment_does_not_go_to_a_server_on_this_machine(run):
    """Google's paths on loopback get a placeholder; another key has to be named."""
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
    """A name that only starts like one is none."""
    assert is_loopback(url) is local


def test_an_interrupted_command_ends_without_a_traceback(run, monkeypatch):
    """Ctrl-C while something is under way."""

    def interrupt(self, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(Target, "build_model", interrupt)
    assert run("chat", lines=["hi"]) == (130, "", "\n")


def test_a_closed_pipe_in_a_real_process_leaves_no_trace():
    """`… | head -1`: nothing on standard error."""
    process = subprocess.Popen([*RUN, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 141
    assert process.stderr.read() == ""
    process.stderr.close()


def test_the_fake_serves_logs_and_stops():
    """As a process: base URL, lines to copy, one line for each request, and a clean end on SIGINT."""
    process = subprocess.Popen(
        [*RUN, "fake", "--port", "0", "--rule", "tools"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        # `communicate` would lose what `readline` has buffered: all that is there is read by lines.
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
    assert process.returncode == 0
    assert err == ""
    assert CANARY not in printed + out
    assert "from langchain_gemini_compat import ChatGeminiCompat" in printed
    assert f"curl -s {url}/chat/completions" in printed
    assert out == "POST completions gemini-3.8-flash: 200 ok\n\nStopped after 1 requests.\n"


def post(url, body):
    """What the endpoint answers to `body`, error or not."""
    headers = {"Authorization": f"Bearer {CANARY}"}
    request = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.read()
    except urllib.error.HTTPError as err:
        with err:
            return err.read()


def test_the_printed_python_of_the_fake_runs(run, monkeypatch, capsys):
    """What is there to copy is the truth, and a broken rule is logged by name."""
    answers = []

    def use_it():
        lines = capsys.readouterr().out.splitlines()
        code = "\n".join(line for line in lines if line.startswith(("from ", "print(")))
        exec(code, {"print": answers.append})
        post(lines[0], {"model": "gemini-3.8-flash", "messages": [{"role": "user", "content": "Hi"}]})
        raise KeyboardInterrupt

    monkeypatch.setattr(fake, "_wait", use_it)
    code, out, _ = run("fake", "--port", "0", "--surface", "vertex")
    assert code == 0
    assert answers == ["Hi"]
    assert "POST completions google/gemini-3.8-flash: 200 ok\n" in out
    assert "POST completions gemini-3.8-flash: 400 model-name: Malformed publisher model" in out


def test_a_port_that_is_taken_is_told(run):
    """Not a traceback of the server library."""
    with FakeGemini().serve() as url:
        port = url.split(":")[2].partition("/")[0]
        code, _, err = run("fake", "--port", port)
    assert code == 2
    assert f"Port {port} cannot be used" in err


@pytest.mark.parametrize("port", ["99999", "-1", "http", ""])
def test_a_port_that_is_none_is_told(run, port):
    """What a port is, and no name of a function of ours."""
    code, _, err = run("fake", f"--port={port}")
    assert code == 2
    assert "argument --port: a port is a number from 0 to 65535" in err
    assert "_port" not in err


def test_a_terminal_gets_dimmed_thoughts_and_no_color_gets_none(monkeypatch):
    """Styles are for terminals, and NO_COLOR is obeyed there."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(_terminal.time, "sleep", lambda seconds: None)
    for setting, dimmed in ((None, True), ("1", False)):
        if setting:
            monkeypatch.setenv("NO_COLOR", setting)
        stream = Terminal()
        Transcript(Screen(stream)).entry("thinking", "hm")
        assert ("\x1b[2" in stream.getvalue()) is dimmed
        assert "hm" in stream.getvalue()


def test_only_a_watched_screen_waits(monkeypatch):
    """Delays are for eyes."""
    waits = []
    monkeypatch.setattr(_terminal.time, "sleep", waits.append)
    Screen(io.StringIO()).pause(1)
    Screen(Terminal()).pause(2)
    assert waits == [2]


def test_control_codes_and_secrets_do_not_reach_the_screen():
    """A model cannot steer the terminal, and a server that echoes a key is not repeated."""
    stream = io.StringIO()
    screen = Screen(stream, secrets=[CANARY, "short"])
    screen.line(f"\x1b[31mred\x07 {CANARY} [bold]short[/bold]\x9b2J")
    assert stream.getvalue() == "[31mred *** [bold]short[/bold]2J\n"


def test_text_over_several_lines_stays_beside_its_label():
    """Line ends at the end of a piece are kept until something follows."""
    stream = io.StringIO()
    transcript = Transcript(Screen(stream))
    for text in ("\n\none\n", "two\nthree\n"):
        transcript.piece("answer", text)
    transcript.entry("result", "")
    assert stream.getvalue() == "answer    one\n          two\n          three\nresult    (nothing)\n"


def test_the_console_leaves_broken_pipes_to_the_command():
    """Rich would end the process with a code of its own."""
    assert _terminal._open_console(io.StringIO(), live=False).on_broken_pipe.__func__ is not Console.on_broken_pipe


def test_a_warning_of_the_library_is_one_line(run, monkeypatch):
    """A key and a project in the environment: said once, without file name and line of the library."""
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    code, out, err = run("chat", lines=["hi"])
    assert code == 1
    assert "error: No Google credentials were found." in out
    assert re.fullmatch(r"note: Both GOOGLE_CLOUD_PROJECT and GOOGLE_API_KEY are set: [^\n]+\n", err)


def test_the_tools_rule_calls_each_tool_once_and_then_answers():
    """An agent against `fake --rule tools` comes to an end."""

    def tell(amount: int, unit: str, exact: bool, kind: Literal["a", "b"]) -> str:
        """Tell."""
        return f"{amount} {unit} {exact} {kind}"

    agent = create_agent(FakeGemini(answer_tools).chat_model(), tools=[tell])
    messages = agent.invoke({"messages": [("user", "go")]})["messages"]
    assert messages[1].tool_calls[0]["args"] == {"amount": 1, "unit": "unit", "exact": True, "kind": "a"}
    assert messages[-1].text == "The tools said: 1 unit True a"


def test_a_person_at_a_terminal_is_greeted_and_may_stop_a_reply(run, monkeypatch):
    """A prompt, a hint at the commands, Ctrl-C during an answer, and exit code 0 whatever failed before."""
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
        code, out, _ = run("chat", "--base-url", url, stdin=Terminal)
    assert code == 0
    assert prompts == ["you       "] * 4
    assert out.splitlines()[0].startswith("gemini-3.8-flash on ai_studio. /reset")
    assert "(stopped)" in out
    assert "error: " in out


def test_the_tools_of_the_demo_answer_what_they_do_not_know():
    """Live models ask for other things than the script."""
    assert convert_currency(1, "EUR", "XYZ") == "There is no rate from EUR to XYZ. Available: EUR, NOK, USD."
    assert get_weather("Rome") == "Rome: unknown, 0 degrees Celsius"
