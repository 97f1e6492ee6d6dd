"""`create_agent` with and without tools, with every response format, on every surface, alone and with middleware."""

from importlib.metadata import version

import pytest
from agent_matrix import (
    ANSWER,
    ASKED,
    FORMATS,
    INTERRUPTIBLE,
    LONG,
    MODES,
    PLACES,
    REPORT,
    SUMMARY,
    TOOLS,
    answer,
    build_cell,
    check_answer,
    expected_strategy,
    strategy_of,
)
from langchain.agents.middleware import (
    ClearToolUsesEdit,
    ContextEditingMiddleware,
    HumanInTheLoopMiddleware,
    ModelFallbackMiddleware,
    ModelRetryMiddleware,
    SummarizationMiddleware,
    ToolCallLimitMiddleware,
    ToolRetryMiddleware,
)
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from langchain_gemini_compat.errors import InvalidRequestError, UnsupportedParameterError
from langchain_gemini_compat.testing import Call, FakeGemini, Fault

LANGCHAIN = tuple(int(part) for part in version("langchain").split(".")[:3])

pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
CELLS = [
    pytest.param(PLACES[place], form, tools, id=f"{place}-{form}-{'tools' if tools else 'no tools'}")
    for place in PLACES
    for form in FORMATS
    for tools in (TOOLS, ())
]


@pytest.mark.parametrize(("place", "form", "tools"), CELLS)
async def test_agent_uses_the_response_format_that_the_model_supports(place, form, tools):
    """Each agent runs with `invoke`, `ainvoke` and `stream`.

    Models before Gemini 3 refuse a JSON schema beside functions, so only `ToolStrategy` works.
    """
    cell = build_cell(place, form, tools=tools)
    for mode in MODES:
        if cell.strategy == "refused":
            with pytest.raises(UnsupportedParameterError, match="mime type"):
                await cell.run(mode)
            continue
        state = await cell.run(mode)
        check_answer(cell, state)
        assert len(cell.fake.requests) == (3 if tools else 1)
        assert all(request.stream is (mode == "stream") for request in cell.fake.requests)


#: Four combinations of surface and model, one of each kind. Most tests of middlewares use only these four, because
#: middlewares behave the same with every combination.
FOUR = ("2.5 on AI Studio", "3.8 on Vertex", "alias on AI Studio", "self-deployed")
UNDER = [pytest.param(PLACES[place], form, id=f"{place}-{form}") for place in FOUR for form in FORMATS]


async def run_all(cell, check=None, question=ASKED):
    """Run the agent in every mode. `check` gets the state and the requests of each run."""
    for mode in MODES:
        if cell.strategy == "refused":
            with pytest.raises(UnsupportedParameterError, match="mime type"):
                await cell.run(mode, question)
            continue
        state = await cell.run(mode, question)
        check_answer(cell, state)
        if check is not None:
            check(state, cell.fake.requests)


def summarise(model):
    """Return a middleware that summarises after the second step and keeps that step."""
    return [SummarizationMiddleware(model, trigger=("messages", 6), keep=("messages", 3))]


@pytest.mark.parametrize(("place", "form"), UNDER)
async def test_summary_inside_a_turn_leaves_a_valid_history(place, form):
    """A summary replaces the first call and its signature.

    The history then has only the summary and the second step of the agent, whose call keeps its signature.
    """

    def check(state, requests):
        assert ["tools" in request.body for request in requests] == [True, True, False, True]
        assert [message["role"] for message in requests[-1].messages] == ["user", "assistant", "tool", "tool"]
        assert SUMMARY in requests[-1].prompt
        assert state["messages"][0].text == requests[-1].prompt

    await run_all(build_cell(place, form, middleware=summarise), check)


@pytest.mark.parametrize("decision", ["approve", "edit", "reject"])
@pytest.mark.parametrize(("place", "form"), UNDER)
async def test_agent_continues_after_a_human_decision(place, form, decision):
    """A person approves, edits or rejects the call. The call keeps its id and its signature."""
    first = {"type": decision}
    if decision == "edit":
        first["edited_action"] = {"name": "get_weather", "args": {"city": "Lyon"}}
    result = {"approve": "sunny in Paris", "edit": "sunny in Lyon", "reject": "not"}[decision]
    cell = build_cell(
        place,
        form,
        middleware=[HumanInTheLoopMiddleware(interrupt_on={"get_weather": True})],
        checkpointer=InMemorySaver(),
    )
    mode = INTERRUPTIBLE[list(FORMATS).index(form) % len(INTERRUPTIBLE)]
    if cell.strategy == "refused":
        await run_all(cell)
        return
    await cell.run(mode)
    assert len(cell.fake.requests) == 1
    await cell.run(mode, Command(resume={"decisions": [first]}))
    assert result in cell.fake.requests[-1].results[0]
    state = await cell.run(mode, Command(resume={"decisions": [{"type": "approve"}]}))
    check_answer(cell, state)
    assert [len(message.tool_calls) for message in state["messages"] if message.type == "ai"][:2] == [1, 2]


async def test_results_are_sent_in_the_order_of_the_calls():
    """The results are sent in the order of the calls, although they are created in another order.

    A rejected call gets its result before the other calls run.
    """
    place = PLACES["3.8 on Vertex"]
    hitl = HumanInTheLoopMiddleware(interrupt_on={"get_time": True})
    cell = build_cell(place, "provider", middleware=[hitl], checkpointer=InMemorySaver())
    for mode in INTERRUPTIBLE:
        await cell.run(mode)
        state = await cell.run(mode, Command(resume={"decisions": [{"type": "reject", "message": "No."}]}))
        check_answer(cell, state)
        assert [message.name for message in state["messages"][-3:-1]] == ["get_time", "get_weather"]
        assert ["sunny" in result for result in cell.fake.requests[-1].results] == [True, False]


@pytest.mark.parametrize(("place", "form"), UNDER)
async def test_failing_tool_is_retried_and_its_error_sent(place, form):
    """One tool succeeds at the second attempt, the other one fails. The model gets the result and the error."""
    tries = []

    def get_weather(city: str) -> str:
        """Weather of a city."""
        tries.append(city)
        if len(tries) % 2:
            raise ConnectionError("no line")
        return f"sunny in {city}"

    def get_time(city: str) -> str:
        """Local time of a city."""
        raise ConnectionError("no clock")

    def check(state, requests):
        assert tries == ["Paris", "Paris", "Rome", "Rome"]
        assert requests[1].results == ["sunny in Paris"]
        assert requests[2].results[0] == "sunny in Rome"
        assert "no clock" in requests[2].results[1]
        tries.clear()

    retry = ToolRetryMiddleware(max_retries=1, initial_delay=0, jitter=False)
    await run_all(build_cell(place, form, tools=[get_weather, get_time], middleware=[retry]), check)


def fail_at_second_step(request):
    """Return an overload error as soon as the request has a tool result."""
    return Fault.overloaded() if request.results else answer(request)


@pytest.mark.parametrize(("place", "form"), UNDER)
async def test_fallback_model_continues_a_turn(place, form):
    """The history of the fallback model contains signatures of the first model.

    The response format is one that the fallback model supports.
    """
    other = PLACES["3.8 on AI Studio" if place.surface == "vertex" else "2.5 on Vertex"]
    fake = FakeGemini(answer, surface=other.surface)
    cell = build_cell(
        place,
        form,
        replies=fail_at_second_step,
        middleware=[ModelFallbackMiddleware(other.build_model(fake))],
        model_options={"max_retries": 0},
    )
    strategy = expected_strategy(other, form, tools=True)
    for mode in MODES:
        fake.requests.clear()
        if "refused" in (strategy, cell.strategy):
            with pytest.raises(UnsupportedParameterError, match="mime type"):
                await cell.run(mode)
            continue
        state = await cell.run(mode)
        assert (cell.fake.refusals, fake.refusals, fake.ignored) == ([], [], [])
        assert (len(cell.fake.requests), len(fake.requests)) == (3, 2)
        assert strategy_of(fake.requests[-1]) == strategy
        assert state.get("structured_response") == (None if form == "none" else REPORT)
        assert ANSWER in state["messages"][-1].text


@pytest.mark.parametrize(("place", "form"), UNDER)
async def test_cleared_tool_uses_keep_their_signatures(place, form):
    """A middleware clears the results and arguments of old calls. Ids, order and signatures do not change."""
    inputs = form in ("none", "tool")

    def check(state, requests):
        texts = [message["content"] for message in requests[-1].messages if message["role"] == "tool"]
        assert texts[-3:] == ["[cleared]", "[cleared]", "noon in Rome"]
        sent = [call["function"]["arguments"] for m in requests[-1].messages for call in m.get("tool_calls") or ()]
        assert (sent[0] == "{}") is inputs
        assert [message.text for message in state["messages"]].count("[cleared]") == 0

    editing = ContextEditingMiddleware(edits=[ClearToolUsesEdit(trigger=1, keep=1, clear_tool_inputs=inputs)])
    await run_all(build_cell(place, form, middleware=[editing]), check)


def all_at_once(model):
    """Return five of LangChain's middlewares in one list."""
    return [
        *summarise(model),
        HumanInTheLoopMiddleware(interrupt_on={"get_weather": False}),
        ToolRetryMiddleware(max_retries=1, initial_delay=0),
        ModelFallbackMiddleware(model),
        ContextEditingMiddleware(edits=[ClearToolUsesEdit(trigger=1)]),
    ]


@pytest.mark.parametrize(("place", "form"), UNDER)
async def test_five_middlewares_at_once_without_tools(place, form):
    """A long conversation is summarised, and the answer has the requested format."""

    def check(state, requests):
        assert len(requests) == 2
        assert SUMMARY in str(requests[1].messages[0]["content"])

    await run_all(build_cell(place, form, tools=(), middleware=all_at_once), check, LONG)


async def test_second_question_of_a_thread_is_accepted_in_every_format():
    """The history of the second question contains the first answer.

    In some response formats, this answer is a tool call whose arguments are the answer.
    """
    for place in (PLACES[name] for name in FOUR):
        for form in FORMATS:
            cell = build_cell(place, form, checkpointer=InMemorySaver())
            if cell.strategy != "refused":
                check_answer(cell, await cell.run("invoke"))
                check_answer(cell, await cell.run("invoke"))


@pytest.mark.parametrize("place", FOUR)
async def test_invalid_object_is_requested_again(place):
    """`ToolStrategy` sends the error as the result of the call, and the call keeps its signature."""

    def answer_wrongly_first(request):
        return answer(request) if request.results else Call("Report", {"lines": 3})

    cell = build_cell(PLACES[place], "tool", tools=(), replies=answer_wrongly_first)
    for mode in MODES:
        check_answer(cell, await cell.run(mode))
        assert "line" in cell.fake.requests[1].results[0]


@pytest.mark.parametrize("place", FOUR)
async def test_blocked_tool_calls_get_a_result(place):
    """Each call needs a result, even if the limit of tool calls blocks the call."""

    def check(state, requests):
        assert "sunny in Paris" in requests[1].results
        assert all("limit" in result for result in requests[2].results)

    await run_all(build_cell(PLACES[place], "none", middleware=[ToolCallLimitMiddleware(run_limit=1)]), check)


@pytest.mark.parametrize("place", FOUR)
async def test_middleware_retries_the_model(place):
    """The middleware retries errors that remain after the model's own retries. A 400 is not retried."""
    retry = ModelRetryMiddleware(max_retries=1, initial_delay=0, on_failure="error")
    for fault, tries in ((Fault.overloaded(), 2), (Fault.context_overflow(), 1)):
        cell = build_cell(
            PLACES[place],
            "none",
            replies=[fault, ANSWER],
            tools=(),
            middleware=[retry],
            model_options={"max_retries": 0},
        )
        if tries == 1:
            with pytest.raises(InvalidRequestError):
                await cell.run("invoke")
        else:
            check_answer(cell, await cell.run("invoke"))
        assert len(cell.fake.requests) == tries


@pytest.mark.parametrize("place", FOUR)
def test_summary_starts_at_a_share_of_the_context_window(place):
    """A share needs the size of the context window. For a self-deployed model, this size is unknown."""
    fake = FakeGemini(surface=PLACES[place].surface)
    model = PLACES[place].build_model(fake)
    if PLACES[place].speaks_gemini:
        assert SummarizationMiddleware(model, trigger=("fraction", 0.5)).trigger == ("fraction", 0.5)
    else:
        with pytest.raises(ValueError, match="max_input_tokens"):
            SummarizationMiddleware(model, trigger=("fraction", 0.5))


@pytest.mark.skipif(LANGCHAIN < (1, 4, 7), reason="langchain asks with the same text again")
async def test_summary_is_retried_with_fewer_messages():
    """If the prompt is too long, the model raises an error. LangChain's middleware then shortens the prompt."""
    lengths = []

    def overflow_once(request):
        if "<messages>" in request.prompt:
            lengths.append(len(request.prompt))
            return Fault.context_overflow() if len(lengths) == 1 else SUMMARY
        return answer(request)

    cell = build_cell(PLACES["3.8 on Vertex"], "none", tools=(), replies=overflow_once, middleware=summarise)
    check_answer(cell, await cell.run("invoke", LONG))
    assert lengths[0] > lengths[1]
