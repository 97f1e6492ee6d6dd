"""`create_agent` with and without tools, in every form of answer, at every place; alone and under middleware."""

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
async def test_agent_answers_in_the_form_that_the_place_takes(place, form, tools):
    """Whole, async and streamed; JSON beside functions is an error before Gemini 3, where only tools will do."""
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


#: One place of each kind; the others differ in nothing that a middleware could see.
FOUR = ("2.5 on AI Studio", "3.8 on Vertex", "alias on AI Studio", "self-deployed")
UNDER = [pytest.param(PLACES[place], form, id=f"{place}-{form}") for place in FOUR for form in FORMATS]


async def run_all(cell, check=None, question=ASKED):
    """Every mode; `check` sees the state and the requests of each."""
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
    """After the second step, and all but that step."""
    return [SummarizationMiddleware(model, trigger=("messages", 6), keep=("messages", 3))]


@pytest.mark.parametrize(("place", "form"), UNDER)
async def test_summary_amid_a_turn_leaves_a_valid_history(place, form):
    """The first call and its signature are gone; those of the step that was kept go on behind the summary."""

    def check(state, requests):
        assert ["tools" in request.body for request in requests] == [True, True, False, True]
        assert [message["role"] for message in requests[-1].messages] == ["user", "assistant", "tool", "tool"]
        assert SUMMARY in requests[-1].prompt
        assert state["messages"][0].text == requests[-1].prompt

    await run_all(build_cell(place, form, middleware=summarise), check)


@pytest.mark.parametrize("decision", ["approve", "edit", "reject"])
@pytest.mark.parametrize(("place", "form"), UNDER)
async def test_human_in_the_loop_decides_and_the_agent_goes_on(place, form, decision):
    """The call is asked about, then made, made otherwise or not made; its id and its signature stay."""
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


async def test_results_of_a_step_go_out_in_the_order_of_its_calls():
    """A rejected call is answered before the others are made; the second call's result comes first."""
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
async def test_tool_is_tried_again_and_its_failure_told(place, form):
    """One tool recovers, the other does not; the model hears the good result and the error."""
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
    """Overloaded as soon as a result has come."""
    return Fault.overloaded() if request.results else answer(request)


@pytest.mark.parametrize(("place", "form"), UNDER)
async def test_fallback_takes_over_amid_a_turn(place, form):
    """The other model gets a history with foreign signatures, and an object is asked for as it takes it."""
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
    """Old results become a word, old arguments an empty object; ids, order and signatures are untouched."""
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
    """The five together."""
    return [
        *summarise(model),
        HumanInTheLoopMiddleware(interrupt_on={"get_weather": False}),
        ToolRetryMiddleware(max_retries=1, initial_delay=0),
        ModelFallbackMiddleware(model),
        ContextEditingMiddleware(edits=[ClearToolUsesEdit(trigger=1)]),
    ]


@pytest.mark.parametrize(("place", "form"), UNDER)
async def test_five_middlewares_at_once_without_tools(place, form):
    """A long conversation is summarised, and the answer has its form."""

    def check(state, requests):
        assert len(requests) == 2
        assert SUMMARY in str(requests[1].messages[0]["content"])

    await run_all(build_cell(place, form, tools=(), middleware=all_at_once), check, LONG)


async def test_second_question_of_a_thread_passes_in_every_form():
    """The first answer, or the call that was one, is history then."""
    for place in (PLACES[name] for name in FOUR):
        for form in FORMATS:
            cell = build_cell(place, form, checkpointer=InMemorySaver())
            if cell.strategy != "refused":
                check_answer(cell, await cell.run("invoke"))
                check_answer(cell, await cell.run("invoke"))


@pytest.mark.parametrize("place", FOUR)
async def test_object_that_breaks_its_schema_is_asked_for_again(place):
    """`ToolStrategy` tells the error as the result of the call, and the call keeps its signature."""

    def answer_wrongly_first(request):
        return answer(request) if request.results else Call("Report", {"lines": 3})

    cell = build_cell(PLACES[place], "tool", tools=(), replies=answer_wrongly_first)
    for mode in MODES:
        check_answer(cell, await cell.run(mode))
        assert "line" in cell.fake.requests[1].results[0]


@pytest.mark.parametrize("place", FOUR)
async def test_limit_of_tool_calls_answers_for_the_calls_it_blocks(place):
    """A blocked call has a result too, as each needs one."""

    def check(state, requests):
        assert "sunny in Paris" in requests[1].results
        assert all("limit" in result for result in requests[2].results)

    await run_all(build_cell(PLACES[place], "none", middleware=[ToolCallLimitMiddleware(run_limit=1)]), check)


@pytest.mark.parametrize("place", FOUR)
async def test_model_is_asked_again_by_the_middleware(place):
    """What the model's own retries did not mend; a 400 is not asked again."""
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
def test_summary_starts_by_a_share_of_what_the_model_takes(place):
    """The profile of a Gemini says how much that is; of a self-deployed model nobody knows it."""
    fake = FakeGemini(surface=PLACES[place].surface)
    model = PLACES[place].build_model(fake)
    if PLACES[place].speaks_gemini:
        assert SummarizationMiddleware(model, trigger=("fraction", 0.5)).trigger == ("fraction", 0.5)
    else:
        with pytest.raises(ValueError, match="max_input_tokens"):
            SummarizationMiddleware(model, trigger=("fraction", 0.5))


@pytest.mark.skipif(LANGCHAIN < (1, 4, 7), reason="langchain asks with the same text again")
async def test_summary_that_is_too_long_is_asked_for_again_with_less():
    """The error of an overflow is the one that langchain looks for."""
    lengths = []

    def overflow_once(request):
        if "<messages>" in request.prompt:
            lengths.append(len(request.prompt))
            return Fault.context_overflow() if len(lengths) == 1 else SUMMARY
        return answer(request)

    cell = build_cell(PLACES["3.8 on Vertex"], "none", tools=(), replies=overflow_once, middleware=summarise)
    check_answer(cell, await cell.run("invoke", LONG))
    assert lengths[0] > lengths[1]
