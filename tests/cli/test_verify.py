"""The command `verify`. Each of its probes is shown to fail once, against a fake endpoint with one changed rule."""

import io
import json
import re
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from cassette_files import LEAKS
from changed_fake import ChangedFake, build_change, refuse
from pydantic import SecretStr

import langchain_gemini_compat
from langchain_gemini_compat._catalog.models import family_of, known_families
from langchain_gemini_compat.cli import main
from langchain_gemini_compat.cli._options import Target
from langchain_gemini_compat.cli._verify.estimate import estimate_cost
from langchain_gemini_compat.cli._verify.lab import Lab
from langchain_gemini_compat.cli._verify.probe import NotCheckedError
from langchain_gemini_compat.cli._verify.probes import PROBES
from langchain_gemini_compat.cli._verify.runner import run_probe, run_probes, select_probes
from langchain_gemini_compat.errors import InvalidRequestError
from langchain_gemini_compat.testing import FakeGemini, Fault, replay

PACKAGE = Path(langchain_gemini_compat.__file__).parent
#: Models for the probes. Each probe runs with the first model in this list to which the probe applies.
MODELS = ("gemini-3.8-flash", "gemini-3.1-pro-preview")
MODEL = MODELS[0]
SURFACES = ("vertex", "ai_studio", "openai_compatible")
CASES = [
    pytest.param(
        surface, probe, next(model for model in MODELS if probe.fits(family_of(model))), id=f"{surface}-{probe.id}"
    )
    for probe in PROBES
    for surface in SURFACES
    if surface in probe.sources
]


def open_lab(fake, model=MODEL, **options):
    """Return a lab that is connected to `fake` in process."""
    given = {**fake.connection(), **options}
    target = Target(model, fake.surface, base_url=given["base_url"], api_key=SecretStr(given["api_key"]))
    keeps_replies = options.get("keeps_replies", True)
    return Lab(target, given["http_client"], keeps_replies=keeps_replies, sleep=lambda _: None)


def run_all(fake, model=MODEL):
    return {result.probe.id: result for result in run_probes(open_lab(fake, model), select_probes(fake.surface, model))}


@cache
def bodies_of(surface, model):
    """Return the bodies that each probe sends, by the id of the probe."""
    found = {}
    for probe in select_probes(surface, model):
        fake = ChangedFake(surface)
        assert run_probe(open_lab(fake, model), probe).status == "ok", probe.id
        found[probe.id] = [request.body for request in fake.requests]
    return found


def dependents(surface, model, name):
    """Return the probes that need the probe `name`, directly or not."""
    found = {name}
    for probe in select_probes(surface, model):
        if found & {*probe.needs}:
            found.add(probe.id)
    return found - {name}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("surface", SURFACES)
def test_probes_pass_against_the_fake(surface, model):
    results = run_all(ChangedFake(surface), model)
    assert {name: result.seen for name, result in results.items() if result.status != "ok"} == {}


@pytest.mark.parametrize(("surface", "probe", "model"), CASES)
def test_probe_fails_if_its_rule_is_changed(surface, probe, model):
    """If the fake server breaks the rule of a probe, only this probe fails.

    Probes that need it are skipped, and all others pass. The test leaves out probes whose requests have nothing to do
    with the rule, because their result cannot change.
    """
    change = build_change(probe.id, surface, family_of(model))
    concerned = {name for name, bodies in bodies_of(surface, model).items() if any(map(change.concerns, bodies))}
    assert probe.id in concerned
    needing = dependents(surface, model, probe.id)
    selected = select_probes(surface, model, [*concerned, *needing])
    results = {one.probe.id: one for one in run_probes(open_lab(ChangedFake(surface, change), model), selected)}
    status = {name: result.status for name, result in results.items()}
    assert status.pop(probe.id) == "differs", results[probe.id].seen
    assert {name for name, word in status.items() if word == "skipped"} == needing
    assert {name: results[name].seen for name, word in status.items() if word not in ("ok", "skipped")} == {}


FAMILIES = [family.name for family in known_families() if family.is_gemini and not family.other_api]


@pytest.mark.parametrize("surface", ["vertex", "ai_studio"])
@pytest.mark.parametrize("name", FAMILIES)
def test_catalog_and_fake_agree_on_each_family(surface, name):
    """The catalog and the fake have separate facts about models. If one of them has a wrong fact, a probe fails."""
    # `gemini-2.5` is a family, but no model has this name. The family has the limits and features of 2.5 Flash.
    model = "gemini-2.5-flash" if name == "gemini-2.5" else name
    named = ("thinking", "penalties", "text-beside-calls", "media-in-result", "signature-missing")
    probes = select_probes(surface, model, named)
    results = run_probes(open_lab(ChangedFake(surface), model), probes)
    assert {result.probe.id: (result.expected, result.seen) for result in results if result.status != "ok"} == {}


def test_chat_model_does_not_repair_the_requests_of_a_probe():
    """The chat model would send a refused request again in another form, and the probe would not notice the refusal."""
    text = 'Invalid JSON payload received. Unknown name "temperature": Cannot find field.'
    lab = open_lab(ChangedFake("ai_studio", refuse(lambda body: "temperature" in body, text)))
    with pytest.raises(InvalidRequestError, match="temperature"):
        lab.chat.invoke("Hi", temperature=0.5)


def test_each_probe_needs_only_earlier_ones():
    """Each probe comes after the probes that it needs, so one pass in order is enough. Each id is unique."""
    seen = set()
    for probe in PROBES:
        assert {*probe.needs} <= seen, probe.id
        assert probe.id not in seen
        seen.add(probe.id)


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.id)
def test_probe_names_a_rule_that_exists(probe):
    """The files, folders and names that the text of a rule mentions exist in this package."""
    places = re.findall(r"(?:bulk/)?_\w+(?:/\w+)*(?:\.py)?", probe.rule)
    places = [place for place in places if (PACKAGE / place.split("/")[0]).exists()]
    assert places, probe.rule
    assert all((PACKAGE / place).exists() for place in places)
    constants = re.findall(r"\b[A-Z_]{4,}\b|`(\w+)`", probe.rule)
    text = "".join(path.read_text(encoding="utf-8") for place in places for path in _files(PACKAGE / place))
    assert all(name in text for name in constants), probe.rule


def _files(path):
    return [*path.rglob("*.py"), *path.rglob("*.json")] if path.is_dir() else [path]


def test_claim_is_one_short_text():
    for probe in PROBES:
        assert re.fullmatch(r"[A-Z`].{15,160}\.", probe.claim), probe.claim


def test_requests_are_estimated_without_retries():
    """The command announces how many requests it will send. This number is right, or at most 5 too high."""
    for surface in SURFACES:
        fake = ChangedFake(surface)
        run_all(fake)
        announced = sum(probe.spend.requests for probe in select_probes(surface, MODEL))
        assert 0 <= announced - len(fake.requests) <= 5


def test_busy_server_is_asked_again_and_then_not_blamed():
    """A claim is not wrong because the server is overloaded."""
    fake = FakeGemini(Fault.overloaded())
    waits = []
    given = fake.connection()
    target = Target(MODEL, "ai_studio", base_url=given["base_url"], api_key=SecretStr("a-key"))
    lab = Lab(target, given["http_client"], sleep=waits.append)
    with pytest.raises(NotCheckedError, match="503 This model is currently"):
        lab.send(lab.body())
    assert len(fake.requests) == 3
    assert waits == [2.0, 8.0]
    fake.answer_with(Fault.permission_denied())
    (result, *others) = run_probes(lab, select_probes("ai_studio", MODEL))
    assert result.status == "not checked"
    assert {other.status for other in others if other.probe.needs} == {"skipped"}


def test_raw_reply_hides_the_credential():
    """If the server repeats the token of the request in its error, the token is hidden in the reply."""
    fake = ChangedFake("ai_studio", refuse(lambda body: True, "Token fake-key-for-tests has expired."))
    lab = open_lab(fake)
    reply = lab.send(lab.body())
    assert reply.describe() == "400 Token [hidden] has expired."
    assert "fake-key" not in reply.text


@pytest.fixture
def run(capsys, monkeypatch):
    """Run the command against `fake`, over HTTP, and return exit code, output and errors."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def run_main(fake, *arguments):
        with fake.serve() as url:
            code = main(["verify", "--base-url", url, *arguments])
        output = capsys.readouterr()
        return code, output.out, output.err

    return run_main


@pytest.mark.parametrize("surface", ["vertex", "ai_studio"])
def test_command_passes_against_the_fake_and_records_it(run, surface, tmp_path):
    """A run over HTTP passes all probes, and writes a report and cassettes that can be replayed offline."""
    path = tmp_path / "report.json"
    code, out, err = run(ChangedFake(surface), "--yes", "--json", str(path), "--record", str(tmp_path / "new"))
    assert (code, err) == (0, "")
    count = len(select_probes(surface, MODEL))
    assert f"{count} probes, " in out
    assert "Estimated price: 0.000 USD (the server is on this machine)." in out
    assert f"{count} ok." in out
    report = json.loads(path.read_text())
    assert report["ok"]
    assert report["surface"] == surface
    assert report["model"].endswith(MODEL)
    assert report["host"] == "127.0.0.1"
    assert report["package"] == version("langchain-gemini-compat")
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", report["date"])
    assert report["counts"] == {"ok": count}
    assert len(report["probes"]) == count
    for probe in select_probes(surface, MODEL):
        folder = tmp_path / "new" / f"{probe.id}_{surface}".replace("-", "_")
        assert folder.exists() is probe.has_cassette
        if not probe.has_cassette:
            continue
        (file,) = folder.glob("*/*.yaml")
        check_layout(file)
        with replay(file) as played:
            lab = open_lab(ChangedFake(surface), http_client=played.client, keeps_replies=False)
            result = run_probe(lab, probe)
        assert (result.status, played.remaining) == ("ok", 0), (probe.id, result.seen)


def test_command_names_the_wrong_rule_and_hides_secrets(run, tmp_path, monkeypatch):
    """The server's error contains the API key and the project. The output and the report contain neither."""
    monkeypatch.setenv("MY_KEY", "canary-7f3a91c2e5")
    text = "Key canary-7f3a91c2e5 of projects/secret-project/locations/eu is not valid in project 'secret-project', number 123456789012."
    fake = ChangedFake("ai_studio", refuse(lambda body: "store" in body, text))
    path = tmp_path / "report.json"
    code, out, _ = run(fake, "--yes", "--only", "unknown-key", "--json", str(path), "--api-key-env", "MY_KEY")
    assert code == 1
    assert "unknown-key: BODY_KEYS in _catalog/surfaces.py" in out
    assert "1 ok, 1 differs." in out
    for text in (out, path.read_text()):
        assert "canary" not in text
        assert "secret-project" not in text
        assert "123456789012" not in text
        assert "projects/PROJECT_ID/locations/eu" in text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_report_that_cannot_be_written_is_printed(run):
    """The requests of the run have cost money, so the report must not be lost."""
    code, out, err = run(ChangedFake("ai_studio"), "--yes", "--only", "unknown-key", "--json", "/dev/full")
    assert code == 2
    assert "The report is printed above." in " ".join(err.split())
    assert '"surface": "ai_studio"' in out


def test_only_selects_topics_and_what_they_need(run):
    code, out, _ = run(ChangedFake("vertex"), "--yes", "--only", "signature-returned, max-tokens")
    assert code == 0
    assert "5 probes, 5 requests." in out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "there is no terminal to answer. Add --yes."),
        (["--only", "nonsense"], "There is no probe or topic 'nonsense'. The topics are answers, "),
        (["--only", "traffic-type"], "None of these probes applies to gemini-3.8-flash on ai_studio: traffic-type."),
        (["--yes", "--json", "/nowhere/report.json"], "`--json` /nowhere/report.json cannot be written"),
        (["--max-cost", "cheap"], "an amount is a number of US dollars, such as 0.50"),
    ],
)
def test_command_refuses_to_start(run, arguments, reason, capsys):
    fake = ChangedFake("ai_studio")
    try:
        code, _, err = run(fake, *arguments)
    except SystemExit as end:
        code, err = end.code, capsys.readouterr().err
    assert code == 2
    assert reason in " ".join(err.split())
    assert fake.requests == []


@pytest.mark.parametrize(("answer", "sent"), [("y\n", True), ("n\n", False), ("", False)])
def test_command_asks_on_a_terminal(run, monkeypatch, answer, sent):
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    fake = ChangedFake("ai_studio")
    code, _, _ = run(fake, "--only", "max-tokens")
    out = sys.stdout.getvalue()
    assert "Start? [y/N]" in out
    assert bool(fake.requests) is sent
    assert code == (0 if sent else 1)
    assert ("  2/2 ok          max-tokens" in out) is sent
    assert bool(re.search(r"\[#####-----\] 50% 1 of 2 probes *\r *\r *2/2 ok", out)) is sent
    assert not sent or out.rpartition("2 of 2 probes")[2].partition("\n")[0].strip() == ""


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self):
        return True


def test_max_cost_compares_the_estimate(capsys):
    """For Google's service, the price is known if genai-prices knows the model. No request is sent."""
    command = ["verify", "--surface", "ai_studio", "--api-key-env", "MY_KEY", "--only", "answers"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MY_KEY", "canary-7f3a91c2e5")
        assert main([*command, "--max-cost", "0.000001"]) == 2
        errors = " ".join(capsys.readouterr().err.split())
        assert re.search(r"Estimated price: 0\.\d{3} USD \(genai-prices .*\). This is more than `--max-cost`", errors)
        assert main([*command, "--max-cost", "1", "--model", "gemini-9-unknown"]) == 2
        errors = " ".join(capsys.readouterr().err.split())
        assert "`--max-cost` needs a known price. The price is not known: genai-prices" in errors


@pytest.mark.parametrize(
    ("fault", "status"), [(Fault.overloaded(), "not checked"), (Fault.model_not_found(), "differs")]
)
def test_batch_is_not_checked_if_the_upload_fails_for_another_reason(fault, status):
    fake = FakeGemini("ok", surface="ai_studio")
    fake.batches.fault_rule = lambda request: fault if "/upload/" in request.path else None
    (probe,) = (probe for probe in PROBES if probe.id == "batch")
    assert run_probe(open_lab(fake), probe).status == status


@pytest.mark.parametrize("base_url", ["https://gateway.invalid/v1", "http://127.0.0.1:9/v1"])
def test_max_cost_refuses_a_compatible_server(base_url, capsys):
    """A gateway has its own prices, even if the gateway runs on this machine. No request is sent."""
    assert main(["verify", "--base-url", base_url, "--max-cost", "100", "--yes"]) == 2
    captured = capsys.readouterr()
    assert (
        "`--max-cost` needs a known price. The price is not known: a compatible server has its own prices"
        in " ".join(captured.err.split())
    )
    assert re.search(r"and Google would charge 0\.\d{3} USD \(genai-prices ", " ".join(captured.out.split()))
    assert "not checked" not in captured.out


def test_price_without_the_extra_is_not_known(monkeypatch):
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    estimate = estimate_cost(PROBES, MODEL, "vertex", is_local=False)
    assert estimate.price is None
    assert "pip install genai-prices" in estimate.describe()


def check_layout(path):
    """Check a cassette as the tests of the folder `cassettes` do.

    The answers come from the fake and not from Google, so the `kind` of the cassette is `composed` and not `recorded`.
    """
    cassette = yaml.safe_load(path.read_text())
    provenance = cassette["provenance"]
    assert provenance["kind"] == "composed"
    assert provenance["model"] == path.parent.name
    assert LEAKS.findall(path.read_text()) == []
    for item in cassette["interactions"]:
        request, response = item["request"], item["response"]
        assert request.keys() == {"method", "uri", "json"}
        assert request["json"].get("stream", False) is (path.stem == "stream")
        is_streamed = path.stem == "stream" and response["status"]["code"] == 200
        assert response.keys() == {"status", "headers", "events" if is_streamed else "json"}
