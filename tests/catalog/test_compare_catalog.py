"""Tests the script that compares the catalog with other packages. The tests write small packages for it."""

import datetime as dt
import json

import compare_catalog
import published_facts
import pytest
from compare_catalog import (
    EXCEPTIONS,
    explains,
    find_differences,
    has_model,
    main,
    our_value,
    read_exceptions,
    split_differences,
)
from published_facts import PACKAGES, Claim, bare_name, read_claims

from langchain_gemini_compat._catalog.models import known_families

MODEL = "gemini-3.8-flash"
LIMIT = our_value(MODEL, "max_input_tokens")
NEW = "gemini-99-argon"
TTS = next((family.name for family in known_families() if family.other_api), "")
ENDING = next(family.name for family in known_families() if family.end_on_vertex and has_model(family.name))


@pytest.fixture
def packages(tmp_path):
    """Return a function that writes a folder of packages. Without arguments, the packages agree with the catalog."""

    def write(*, litellm=None, profiles=None, windows=None, levels=None):
        folder = tmp_path / "packages"
        everything = {
            family.name: {"mode": "realtime" if family.other_api else "chat", "litellm_provider": "gemini"}
            for family in known_families()
            if has_model(family.name)
        }
        google = [(name, window) for name, window in (windows or {}).items()]
        files = {
            "litellm/model_prices_and_context_window_backup.json": json.dumps(everything | (litellm or {})),
            "langchain_google_genai/data/_profiles.py": f"_PROFILES: dict = {profiles or {}!r}\n",
            "langchain_google_vertexai/data/_profiles.py": "_PROFILES: dict = {}\n",
            "genai_prices/data.py": "providers: list = [Provider(id='google', models=["
            + "".join(f"ModelInfo(id={name!r}, context_window={window!r})," for name, window in google)
            + "])]\n",
            "google/genai/types.py": "class ThinkingLevel(Enum):\n    'Levels.'\n"
            + "".join(f"    {level} = {level!r}\n    'A level.'\n" for level in levels or ["LOW"]),
        }
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for name in PACKAGES:
            metadata = folder / f"{name.replace('-', '_')}-1.0.dist-info" / "METADATA"
            metadata.parent.mkdir(exist_ok=True)
            metadata.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        return folder

    return write


@pytest.fixture
def run(tmp_path, capsys):
    """Return a function that runs the script, and returns its exit code and report."""

    def run(folder, *exceptions, options=()):
        path = tmp_path / "exceptions.json"
        path.write_text(json.dumps(exceptions))
        code = main(["--packages", str(folder), "--exceptions", str(path), *options])
        return code, capsys.readouterr().out

    return run


def exception(**changes):
    entry = {"subjects": [MODEL], "fact": "max_input_tokens", "ours": LIMIT, "theirs": 7, "packages": ["litellm"]}
    return {**entry, "why": "Their number is an example.", "date": "2026-11-30", **changes}


def litellm(**facts):
    return {"mode": "chat", "litellm_provider": "gemini", **facts}


def test_packages_that_agree_give_exit_code_0(packages, run):
    """The report names the packages and their versions."""
    code, report = run(packages(litellm={f"gemini/{MODEL}": litellm(max_input_tokens=LIMIT)}))
    assert code == 0
    assert "litellm 1.0" in report
    assert report.endswith("0 new models, 0 differences without an explanation, 0 explained\n")


@pytest.mark.parametrize(
    ("published", "says"),
    [
        ({"litellm": {f"vertex_ai/{NEW}": litellm()}}, "litellm 1.0"),
        ({"litellm": {f"github_copilot/{NEW}": litellm(litellm_provider="github_copilot")}}, "litellm 1.0"),
        ({"profiles": {NEW: {"text_inputs": True, "text_outputs": True}}}, "langchain-google-genai 1.0"),
        ({"windows": {NEW: 8192}}, "genai-prices 1.0"),
    ],
)
def test_new_model_gives_exit_code_1(packages, run, published, says):
    """The script reports a new model even if only one package lists it, and lists it only for a gateway."""
    code, report = run(packages(**published))
    assert code == 1
    assert f"Models that the catalog does not have\n  {NEW}: model: ours 'absent', theirs 'listed' ({says})" in report
    assert "1 new models, 0 differences" in report


def test_new_model_with_an_exception_is_explained(packages, run):
    """A pattern in `subjects` applies to all models whose names match the pattern."""
    explained = exception(subjects=["gemini-99-*"], fact="model", ours="absent", theirs="listed")
    assert run(packages(litellm={NEW: litellm()}), explained)[0] == 0


@pytest.mark.parametrize(
    ("published", "line"),
    [
        (
            {"litellm": {MODEL: litellm(max_input_tokens=7)}},
            f"{MODEL}: max_input_tokens: ours {LIMIT}, theirs 7 (litellm 1.0)",
        ),
        (
            {"litellm": {MODEL: litellm(supports_minimal_reasoning_effort=True)}},
            f"{MODEL}: level minimal: ours False, theirs True (litellm 1.0)",
        ),
        (
            {"litellm": {MODEL: litellm(deprecation_date="2031-01-01")}},
            f"{MODEL}: end on AI Studio: ours 'unknown', theirs '2031-01-01' (litellm 1.0)",
        ),
        (
            {"litellm": {ENDING: litellm(litellm_provider="vertex_ai-x", successor_model="vertex_ai/gemini-99")}},
            f"{ENDING}: successor on Vertex AI: ours {our_value(ENDING, 'successor on Vertex AI')!r}, theirs 'gemini-99'",
        ),
        ({"litellm": {MODEL: litellm(mode="realtime")}}, f"{MODEL}: chat: ours True, theirs False (litellm 1.0)"),
        ({"litellm": {TTS: litellm()}}, f"{TTS}: chat: ours False, theirs True (litellm 1.0)"),
        (
            {"litellm": {MODEL: litellm(supported_output_modalities=["text", "image"])}},
            f"{MODEL}: image_outputs: ours False, theirs True (litellm 1.0)",
        ),
        (
            {"profiles": {MODEL: {"text_inputs": True, "text_outputs": True, "reasoning_effort_levels": ["low"]}}},
            "theirs ['low'] (langchain-google-genai 1.0)",
        ),
        ({"windows": {MODEL: 7}}, f"{MODEL}: max_input_tokens: ours {LIMIT}, theirs 7 (genai-prices 1.0)"),
        ({"levels": ["LOW", "HUGE"]}, "ThinkingLevel: value huge: ours 'absent', theirs 'listed' (google-genai 1.0)"),
    ],
)
def test_difference_gives_exit_code_1(packages, run, published, line):
    """Each kind of fact of each package is compared."""
    code, report = run(packages(**published))
    assert code == 1
    assert line in report
    assert "0 new models, 1 differences" in report


def test_two_packages_that_say_the_same_share_a_line(packages, run):
    """The report has one line for both packages. An exception for one of them does not apply to the other."""
    folder = packages(litellm={MODEL: litellm(max_input_tokens=7)}, windows={MODEL: 7})
    assert "theirs 7 (litellm 1.0, genai-prices 1.0)" in run(folder)[1]
    code, report = run(folder, exception())
    assert code == 1
    assert "theirs 7 (genai-prices 1.0)" in report
    assert run(folder, exception(packages=["litellm", "genai-prices"]))[0] == 0


@pytest.mark.parametrize(
    "change",
    [{"subjects": ["gemini-3.7-flash"]}, {"fact": "max_output_tokens"}, {"ours": 1}, {"theirs": 8}, {"packages": []}],
)
def test_exception_explains_one_value_only(packages, run, change):
    """An entry of `exceptions.json` explains one difference: one value of the catalog and one value of a package.

    If one of these values changes, the entry no longer applies, and a person has to judge the new difference.
    """
    folder = packages(litellm={MODEL: litellm(max_input_tokens=7)})
    assert run(folder, exception())[0] == 0
    code, report = run(folder, exception(**change))
    assert code == 1
    assert "Exceptions that explain nothing: remove them\n" in report


def test_all_lists_explained_differences(packages, run):
    """With `--all`, the report has the reasons."""
    folder = packages(litellm={MODEL: litellm(max_input_tokens=7)})
    assert "Their number" not in run(folder, exception())[1]
    report = run(folder, exception(), options=["--all"])[1]
    assert f"Explained: Their number is an example.\n  {MODEL}: max_input_tokens" in report


def test_row_of_a_generation_does_not_describe_a_new_model(packages, run):
    """The family `gemini-4` matches every Gemini 4 model. An unknown Gemini 4 model is reported as new nevertheless."""
    assert not has_model("gemini-4-xenon")
    assert has_model("gemini-4-argon")
    assert "gemini-4-xenon: model: ours 'absent'" in run(packages(litellm={"gemini/gemini-4-xenon": litellm()}))[1]


def test_family_that_no_package_lists_is_a_difference():
    """No other check finds a family in our catalog that does not exist."""
    names = {item.subject for item in find_differences([Claim("litellm", MODEL, "model", "listed")])}
    assert names == {family.name for family in known_families() if has_model(family.name)} - {MODEL}


def test_what_is_not_compared(packages, run):
    """The script ignores some published facts.

    - embedding models
    - limits of models that do not chat
    - models of other laboratories
    - limits that a gateway sets
    """
    published = {
        "gemini/gemini-embedding-9": litellm(),
        f"gemini/{TTS}": litellm(mode="audio_speech", max_input_tokens=7),
        "lab/gemma-99": litellm(litellm_provider="lab"),
        f"lab/{MODEL}": litellm(litellm_provider="lab", max_input_tokens=7),
    }
    profiles = {"gemini-embedding-9": {}, "meta/llama-9": {}}
    assert run(packages(litellm=published, profiles=profiles))[0] == 0


def test_keys_that_langchain_sets_for_all_models_are_ignored(packages):
    """LangChain sets keys such as `text_inputs` for every model, so they are not facts about a model."""
    folder = packages(profiles={MODEL: {"text_inputs": True, "pdf_inputs": True, "video_inputs": False}})
    facts = {claim.fact for claim in read_claims(folder) if claim.package == "langchain-google-genai"}
    assert facts == {"model", "video_inputs"}


def test_unknown_facts_are_no_differences(packages):
    """A fact that one side does not know is not compared."""
    claims = [
        Claim("litellm", "gemini-flash-latest", "model", "listed"),
        Claim("x", MODEL, "release_date", "2026-01-01"),
    ]
    assert [item.subject for item in find_differences(claims) if item.fact != "family"] == ["gemini-flash-latest"]
    assert {claim.fact for claim in read_claims(packages()) if claim.subject == MODEL} == {"model", "chat"}


def test_bare_name_drops_providers_and_suffixes():
    """Gateways add providers and suffixes to the names of models. The catalog has the bare names."""
    assert bare_name("openrouter/google/Gemini-3.8-Flash:batch") == MODEL


def test_packages_are_installed_into_a_temporary_folder(packages, run, monkeypatch, tmp_path, capsys):
    """Without `--packages`, uv installs the newest versions, without dependencies."""
    commands = []
    monkeypatch.setattr(published_facts.subprocess, "run", lambda command, check: commands.append(command))
    monkeypatch.setattr(compare_catalog, "read_versions", lambda folder: {})
    monkeypatch.setattr(compare_catalog, "read_claims", lambda folder: [])
    main([])
    ((*_, target, first, _, _, _, last),) = commands
    assert commands[0][:3] == ["uv", "pip", "install"]
    assert {"--no-deps", "--upgrade", "--refresh"} < set(commands[0])
    assert (first, last) == (PACKAGES[0], PACKAGES[-1])
    assert "langchain" not in target


ENTRIES = read_exceptions(EXCEPTIONS)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry['subjects'][0]} {entry['fact']}")
def test_exception_is_complete(entry):
    """Each entry of `exceptions.json` has subjects, a fact, both values, packages, a reason and a date."""
    assert entry.keys() == {"subjects", "fact", "ours", "theirs", "packages", "why", "date"}
    assert set(entry["packages"]) <= {*PACKAGES, "all"}
    assert len(entry["why"]) > 20
    assert dt.date.fromisoformat(entry["date"])
    assert entry["subjects"] == sorted(entry["subjects"])


@pytest.mark.parametrize(
    ("subject", "entry"),
    [
        pytest.param(subject, entry, id=f"{subject} {entry['fact']}")
        for entry in ENTRIES
        for subject in entry["subjects"]
        if "*" not in subject and not entry["fact"].startswith(("value", "family"))
    ],
)
def test_exception_has_our_value(subject, entry):
    """In each entry of `exceptions.json`, `ours` is the current value of the catalog.

    If the catalog is corrected, a person has to change or remove the entry.
    """
    differences = find_differences([Claim(entry["packages"][0], subject, entry["fact"], entry["theirs"])])
    said = [item for item in differences if item.subject == subject and item.fact != "family"]
    assert [explains(entry, item) for item in said] == [True], (
        f"The catalog changed: correct or remove this entry of {EXCEPTIONS.name}, and run compare_catalog.py."
    )


def test_no_exception_is_there_twice():
    """No difference is explained by two entries of `exceptions.json`."""
    keys = [
        (subject, entry["fact"], repr((entry["ours"], entry["theirs"])), package)
        for entry in ENTRIES
        for subject in entry["subjects"]
        for package in entry["packages"]
    ]
    assert sorted(keys) == sorted(set(keys))
    assert split_differences([], ENTRIES) == ([], [], ENTRIES)
