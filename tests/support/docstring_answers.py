"""The answers of the fake to the examples in docstrings.

If no answer fits the prompt, the fake follows `standard_rule`, as in the tests of langchain-tests.
"""

from base64 import b64decode

import standard_rule

from langchain_gemini_compat.testing import Call, Fault, Reply, Usage

PNG = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
CITIES = ("Oslo", "Rome")
TEXTS = {
    "What is the capital of Norway?": "Oslo.",
    "Tell me a story.": "A cat sat down. It purred.",
    "My name is Ada.": "Hello, Ada!",
    "What is my name?": "Your name is Ada.",
    "One?": "Two.",
    "Two?": "Three.",
    "Hello": "Hello!",
    "What is in this picture?": "A red square.",
    "Summarize the report.": "Sales grew by a tenth.",
    "Summarize the talk.": "The speaker explains tides.",
    "Describe the film.": "A train crosses a bridge.",
    "How many r are in strawberry?": Reply("Three.", thoughts="I spell the word: s-t-r-a-w-b-e-r-r-y."),
    "Draw a red square.": Reply("Here it is.", image=PNG),
    "Count my tokens.": Reply("Done.", usage=Usage(prompt=1200, completion=3, thoughts=40, cached=1000)),
    "Tell me a joke about cats.": '{"setup": "Why do cats purr?", "punchline": "They are charging."}',
    "The largest city of Norway?": '{"name": "Oslo", "population": 730000}',
    "Remind me to buy milk.": '{"title": "Buy milk"}',
}


def answer(request):
    """Return the answer to a request of an example."""
    prompt = request.prompt
    if request.results:
        return " ".join(request.results)
    if "I love programming." in prompt:
        return "J'adore la programmation."
    if prompt == "Fail, please.":
        return Fault.rate_limit("39043s", per="day") if "3.8" in request.body["model"] else "I did not fail."
    if request.tools and "weather" in prompt and request.body.get("tool_choice") != "none":
        return [Call("get_weather", {"city": city}) for city in CITIES if city in prompt]
    if prompt in TEXTS and not request.tools:
        return TEXTS[prompt]
    return standard_rule.answer(request)
