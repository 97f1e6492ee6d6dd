"""The replies of the fake for the page `gemini_compat.mdx`, which follows LangChain's template for integrations."""

from langchain_gemini_compat.testing import Call, Reply


def answer(request):
    """Return a reply as Gemini might give it to one request of the page's code."""
    if request.results:
        return "No umbrella needed: it is sunny in Paris."
    if request.tools:
        return Call("get_weather", {"city": "Paris"})
    if "response_format" in request.body:
        return '{"name": "Paris", "country": "France"}'
    if "391" in request.prompt:
        return Reply("No: 391 is 17 times 23.", thoughts="17 times 23 is 391.")
    return "1, 2, 3." if "three" in request.prompt else "J'adore la programmation."
