"""Reads what packages on PyPI publish about Gemini models.

`uv pip install --no-deps --target` puts the packages into a folder, and the functions parse their files. The packages
are not imported, and their dependencies are not installed. So the newest version of every package can be read, although
the packages require different versions of langchain-core and google-genai.
"""

import ast
import json
import subprocess
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

#: The packages that publish facts about models. The profiles in LangChain's packages are generated from models.dev.
PACKAGES = ("litellm", "langchain-google-genai", "langchain-google-vertexai", "genai-prices", "google-genai")
#: The values of `mode` in litellm's map for models that accept chat requests.
CHAT_MODES = ("chat", "responses", "image_generation")
#: The keys of LangChain's profiles that are compared with the catalog. The other keys have the same value for all
#: models, or have no counterpart in the catalog.
PROFILE_KEYS = (
    "max_input_tokens", "max_output_tokens", "image_inputs", "audio_inputs", "video_inputs", "pdf_inputs",
    "image_outputs", "tool_calling", "structured_output", "reasoning_output", "temperature",
    "reasoning_effort_levels", "reasoning_effort_default",
)  # fmt: skip
#: Maps a key of litellm's map to the key of LangChain's profiles with the same meaning.
_LITELLM_KEYS = {
    "max_input_tokens": "max_input_tokens",
    "max_output_tokens": "max_output_tokens",
    "supports_vision": "image_inputs",
    "supports_audio_input": "audio_inputs",
    "supports_video_input": "video_inputs",
    "supports_pdf_input": "pdf_inputs",
    "supports_function_calling": "tool_calling",
    "supports_response_schema": "structured_output",
    "supports_reasoning": "reasoning_output",
    "supports_sampling_params": "temperature",
    "supports_minimal_reasoning_effort": "level minimal",
    "supports_xhigh_reasoning_effort": "level xhigh",
}
#: Maps litellm's names for Google as a provider to our surfaces.
_GOOGLE = {"gemini": "AI Studio", "vertex_ai": "Vertex AI"}
_LANGCHAIN = {
    "langchain-google-genai": "langchain_google_genai",
    "langchain-google-vertexai": "langchain_google_vertexai",
}
#: LangChain sets these keys to true for all models of the package (in `data/profile_augmentations.toml`). So they say
#: nothing about a single model.
_OVERRIDDEN = {
    "langchain-google-genai": {"pdf_inputs"},
    "langchain-google-vertexai": {"pdf_inputs", "structured_output"},
}
#: The enums of google-genai whose values this package also lists.
ENUMS = ("FinishReason", "MediaResolution", "Modality", "ServiceTier", "ThinkingLevel")


@dataclass(frozen=True)
class Claim:
    """A statement of one package about one model or enum.

    If the package only lists the model, `fact` is `model`.
    """

    package: str
    subject: str
    fact: str
    value: object


def install_packages(folder, packages=PACKAGES):
    """Install the newest versions of `packages` into `folder`, without their dependencies."""
    command = ["uv", "pip", "install", "--quiet", "--no-deps", "--refresh", "--upgrade", "--target", str(folder)]
    subprocess.run([*command, *packages], check=True)


def read_versions(folder):
    """Return the version of each package in `folder`."""
    found = {item.name.lower().replace("_", "-"): item.version for item in distributions(path=[str(folder)])}
    return {package: found[package] for package in PACKAGES}


def read_claims(folder):
    """Return everything that the packages in `folder` say about Gemini, Gemma and the enums."""
    folder = Path(folder)
    return [*_read_litellm(folder), *_read_langchain(folder), *_read_genai_prices(folder), *_read_google_genai(folder)]


def _read_litellm(folder):
    models = json.loads((folder / "litellm" / "model_prices_and_context_window_backup.json").read_text())
    for name, entry in models.items():
        model, mode = bare_name(name), entry.get("mode")
        provider = next((name for name in _GOOGLE if str(entry.get("litellm_provider")).startswith(name)), None)
        if not is_candidate(model, by_google=provider is not None):
            continue
        yield Claim("litellm", model, "model", "listed")
        # Compare only the facts about Google's own services, because gateways have their own limits and features.
        if provider:
            yield Claim("litellm", model, "chat", mode in CHAT_MODES)
            facts = _litellm_facts(entry, _GOOGLE[provider]).items()
            yield from (Claim("litellm", model, fact, value) for fact, value in facts if value is not None)


def _litellm_facts(entry, surface):
    facts = {fact: entry.get(key) for key, fact in _LITELLM_KEYS.items()}
    if "supported_output_modalities" in entry:
        facts["image_outputs"] = "image" in entry["supported_output_modalities"]
    successor = entry.get("successor_model")
    return facts | {
        f"end on {surface}": entry.get("deprecation_date"),
        f"successor on {surface}": successor and bare_name(successor),
    }


def _read_langchain(folder):
    for package, module in _LANGCHAIN.items():
        tree = ast.parse((folder / module / "data" / "_profiles.py").read_text())
        (profiles,) = (node.value for node in tree.body if isinstance(node, ast.AnnAssign))
        for name, profile in ast.literal_eval(profiles).items():
            model = bare_name(name)
            if is_candidate(model, by_google=True):
                yield Claim(package, model, "model", "listed")
                stated = set(profile) - _OVERRIDDEN[package]
                yield from (Claim(package, model, key, profile[key]) for key in PROFILE_KEYS if key in stated)


def _read_genai_prices(folder):
    tree = ast.parse((folder / "genai_prices" / "data.py").read_text())
    calls = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Provider"
    ]
    for arguments in map(_arguments, calls):
        by_google = arguments["id"].value == "google"
        for facts in map(_arguments, arguments["models"].elts):
            model = bare_name(facts["id"].value)
            if not is_candidate(model, by_google=by_google):
                continue
            yield Claim("genai-prices", model, "model", "listed")
            if by_google and "context_window" in facts:
                yield Claim("genai-prices", model, "max_input_tokens", facts["context_window"].value)


def _arguments(call):
    return {item.arg: item.value for item in call.keywords}


def _read_google_genai(folder):
    tree = ast.parse((folder / "google" / "genai" / "types.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name in ENUMS:
            values = [item.value.value for item in node.body if isinstance(item, ast.Assign)]
            yield Claim("google-genai", node.name, "values", sorted(value.lower() for value in values))


def bare_name(name):
    """Return the name of a model without providers, and without what a gateway appends after a colon.

    >>> bare_name("openrouter/google/gemini-3.8-flash:batch")
    'gemini-3.8-flash'
    """
    return name.rpartition("/")[2].partition(":")[0].lower()


def is_candidate(model, *, by_google):
    """Return whether the catalog could describe a model of this name.

    A name with `gemma` counts only for Google, because gateways serve Gemma under names of their own.
    """
    return "embedding" not in model and model.startswith(("gemini", "nano-banana", "gemma") if by_google else "gemini")
