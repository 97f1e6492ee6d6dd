"""Rules of the server for requests, by model.

The tables of this module repeat facts of the package's catalog on purpose. So a test detects a fact that is wrong here
or in the catalog.
Sources, read on 2026-11-29 unless a date is given:

- Signatures: https://ai.google.dev/gemini-api/docs/thought-signatures
- Levels and budgets before Gemini 4: https://ai.google.dev/gemini-api/docs/thinking and Google's model cards.
- No `minimal` on 3.7 and 3.8 Flash: https://github.com/BerriAI/litellm/issues/37314 (2026-09).
- Gemini 4, its levels, caches, penalties and Office files:
  https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/guides/gemini-4-hydrogen and gemini-4-carbon;
  Neon: https://apidog.com/blog/gemini-4-neon-api; `xhigh`: `ThinkingLevel` of google-genai 3.6.1.
- Levels of image models: pydantic-ai's `profiles/google.py` (2.68) and https://models.dev.
- Penalties: the cards of 3.6 Flash and 3.5 Flash-Lite, https://github.com/Ikalus1988/MisakaNet/issues/1473
  (2026-09-04) and https://github.com/PublicAffairs/openai-gemini/issues/63.
- Longest output: the cards, the guides of Gemini 4 (65,536 tokens in one call, streamed or not), and a public report of
  a response with status 400 (2026-02-26). Longest output of image models: LiteLLM's model map and https://models.dev.
- Locations: the cards and the guides of Gemini 4. No source has the locations of the models that the table lacks.
- Gemma 4 on AI Studio: https://github.com/Kilo-Org/kilocode/pull/12149 (2026-07), and a capture of 2026-09-17.
- No text from speech, live and video models: LiteLLM's model map (litellm 1.110.2) and google-genai 3.6.1. Robotics-ER
  streams over the Live API: https://ai.google.dev/gemini-api/docs/robotics-overview.
- Text beside tool calls: https://github.com/NousResearch/hermes-agent/issues/69231 (2026-07-24).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_VERSION = re.compile(r"gemini-(\d+)(?:\.(\d+))?")
_ALL_LEVELS = frozenset({"minimal", "low", "medium", "high"})
_NO_MINIMAL = frozenset({"low", "medium", "high"})
_WITH_XHIGH = frozenset({"low", "medium", "high", "xhigh"})
#: The thinking levels by prefix of the model's name. The first matching prefix is used, so longer prefixes come first.
_LEVELS = (
    ("gemini-4-hydrogen", _WITH_XHIGH),
    ("gemini-4-neon", _WITH_XHIGH),
    ("gemini-4", _NO_MINIMAL),
    ("gemini-3.8-flash", _NO_MINIMAL),
    ("gemini-3.7-flash", _NO_MINIMAL),
    ("gemini-3.1-pro", _NO_MINIMAL),
    ("gemini-3.1-flash-lite-image", frozenset({"minimal", "high"})),
    ("gemini-3.1-flash-image", frozenset({"minimal", "high"})),
    ("gemini-nano-banana", frozenset({"minimal", "medium", "high"})),
    ("gemini-3-pro", frozenset({"low", "high"})),
)
#: Thinking budgets, by prefix of the model's name. The first two numbers are the smallest and the largest budget in
#: tokens. The flag says whether the budget may be 0, which turns thinking off.
_BUDGETS = (
    ("gemini-2.5-pro", (128, 32768, False)),
    ("gemini-2.5-flash-lite", (512, 24576, True)),
    ("gemini-2.5-flash", (0, 24576, True)),
)
_NO_TEXT_BESIDE_CALLS = ("gemini-3.6-flash", "gemini-3.5-flash-lite")
#: The longest output in tokens, by prefix of the model's name. Other models write up to 65,536 tokens.
_LONGEST_OUTPUTS = (
    ("gemini-2.0", 8_192),
    ("gemini-1.5", 8_192),
    ("gemini-3.1-flash-lite-image", 4_096),
    ("gemini-3.1-flash-image", 32_768),
    ("gemini-3-pro-image", 32_768),
    ("gemini-2.5-flash-image", 32_768),
    ("gemini-nano-banana", 32_768),
    ("nano-banana", 32_768),
)
_EVERYWHERE, _NOT_REGIONAL, _GLOBAL = ("global", "us", "eu", "regions"), ("global", "us", "eu"), ("global",)
#: The locations in which Vertex AI serves a model, by prefix of the model's name. `regions` means all single regions.
_LOCATIONS = (
    ("gemini-4", _NOT_REGIONAL),
    ("gemini-3.8-flash", _NOT_REGIONAL),
    ("gemini-3.7-flash", _NOT_REGIONAL),
    ("gemini-3.5-flash-lite", _NOT_REGIONAL),
    ("gemini-3.5-flash", _EVERYWHERE),
    ("gemini-3.1-flash-lite", _NOT_REGIONAL),
    ("gemini-3.1-pro", _GLOBAL),
    ("gemini-3-flash", _GLOBAL),
    ("gemini-2.5-flash-lite", _EVERYWHERE),
    ("gemini-robotics-er-2", _GLOBAL),
)
#: Models that do not think.
_SILENT = ("gemini-2.5-flash-image", "gemini-2.0", "gemini-1.5")
#: Models that refuse penalties. No source says whether 2.5 Pro and 2.5 Flash-Lite refuse penalties.
_NO_PENALTIES = re.compile(r"gemini-(?:4|3\.8-flash|3\.7-flash|3\.6-flash|3\.5-flash-lite|2\.5-flash(?!-lite|-image))")
#: Models that do not answer with text over chat completions. `_SPEECH` matches models that answer with speech.
#: `_NO_CHAT` matches models for live sessions, transcripts or video, which are not served over chat completions.
_SPEECH = re.compile(r"gemini-[\d.]+-(?:\w+-)*tts")
_NO_CHAT = re.compile(
    r"gemini-(?:[\d.]+-(?:\w+-)*(?:live|transcribe|native-audio)|live|omni|robotics-er-[\d.]+-streaming)"
)


@dataclass(frozen=True, slots=True)
class ModelRules:
    """What a model accepts and demands.

    Attributes:
        is_gemini: Whether the model is a Gemini model.
        demands_signatures: Whether the model refuses calls without a thought signature.
        thinks: Whether the model thinks.
        takes_levels: Whether the model accepts `thinking_level`.
        levels: The thinking levels that the model accepts.
        budget: The smallest and the largest thinking budget, and whether 0 is allowed. `None`: no documented range.
        text_beside_calls: Whether Vertex AI accepts text in a message with tool calls.
        longest_output: The highest `max_tokens` that Vertex AI accepts.
        locations: Where Vertex AI serves the model; empty if no source says so.
        penalties: Whether the model accepts frequency and presence penalties.
        refuses_efforts: Whether AI Studio refuses every `reasoning_effort` for the model.
        cached_content: Whether the model accepts `cached_content`.
        office_files: Whether tool results may have Office and OpenDocument files.
        speaks_only: Whether the model answers with speech only.
        chats: Whether the model is served over chat completions.
    """

    is_gemini: bool
    demands_signatures: bool
    thinks: bool
    takes_levels: bool
    levels: frozenset[str]
    budget: tuple[int, int, bool] | None
    text_beside_calls: bool
    longest_output: int
    locations: tuple[str, ...]
    penalties: bool
    refuses_efforts: bool
    cached_content: bool
    office_files: bool
    speaks_only: bool
    chats: bool

    def takes_effort(self, effort: str) -> bool:
        """Return whether the model accepts `effort` as the value of `reasoning_effort`.

        `none` is accepted only if the thinking budget of the model can be 0.
        """
        if effort == "none":
            return self.budget is not None and self.budget[2]
        return effort in self.levels

    def is_served_in(self, location: str) -> bool:
        """Return whether Vertex AI serves the model in `location`, or `True` if the model's locations are unknown."""
        return not self.locations or (location if location in _NOT_REGIONAL else "regions") in self.locations


def bare_name(model: str) -> str:
    """Return `model` in lowercase, without everything up to its last slash.

    >>> bare_name("google/gemini-3.8-flash")
    'gemini-3.8-flash'
    """
    return model.rpartition("/")[2].lower()


def rules_for(model: str) -> ModelRules:
    """Return the rules for `model`. An alias such as `gemini-flash-latest` has the rules of the newest generation.

    >>> rules_for("gemini-flash-latest").demands_signatures, rules_for("gemini-2.5-pro").demands_signatures
    (True, False)
    """
    bare = bare_name(model)
    # `nano-banana-pro-preview` is another name of Gemini 3 Pro Image.
    is_gemini = bare.startswith(("gemini", "nano-banana"))
    version = _VERSION.match(bare)
    modern = is_gemini and (version is None or int(version.group(1)) >= 3)
    return ModelRules(
        is_gemini=is_gemini,
        demands_signatures=modern,
        thinks=not bare.startswith(_SILENT),
        takes_levels=modern or not is_gemini,
        levels=next((levels for name, levels in _LEVELS if bare.startswith(name)), _ALL_LEVELS),
        budget=next((budget for name, budget in _BUDGETS if bare.startswith(name)), None),
        text_beside_calls=not bare.startswith(_NO_TEXT_BESIDE_CALLS),
        longest_output=next((most for name, most in _LONGEST_OUTPUTS if bare.startswith(name)), 65_536),
        locations=() if "image" in bare else next((found for name, found in _LOCATIONS if bare.startswith(name)), ()),
        penalties=not _NO_PENALTIES.match(bare),
        refuses_efforts=bare.startswith("gemma-4"),
        cached_content=not bare.startswith("gemini-4"),
        office_files=bare.startswith("gemini-4-hydrogen"),
        speaks_only=bool(_SPEECH.match(bare)),
        chats=not _NO_CHAT.match(bare),
    )
