"""Program for `test_databases`: an agent on PostgreSQL. One of its tools never ends if the arguments say so."""

import asyncio
import sys
import time

from langchain.agents import create_agent
from langchain_core.tools import tool
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

from langchain_gemini_compat import ChatGeminiCompat

MODE, DATABASE, SURFACE, URL, ENDLESS = sys.argv[1:]
CONFIG = {"configurable": {"thread_id": "one"}}
QUESTION = {"messages": [("user", "Weather?")]}


@tool
def get_weather(city: str) -> str:
    """Weather of a city."""
    return say("sunny", city)


@tool
def get_time(city: str) -> str:
    """Local time of a city."""
    return say("noon", city)


def say(word, city):
    if f"{word} in {city}" == ENDLESS:
        print("called", flush=True)
        time.sleep(600)
    return f"{word} in {city}"


def build(saver):
    model = ChatGeminiCompat(
        model="gemini-3.8-flash", surface=SURFACE, base_url=URL, api_key="k", include_thoughts=True
    )
    return create_agent(model, [get_weather, get_time], checkpointer=saver)


def run():
    with PostgresSaver.from_conn_string(DATABASE) as saver:
        saver.setup()
        agent = build(saver)
        question = None if agent.get_state(CONFIG).values else QUESTION
        return agent.invoke(question, CONFIG, durability="sync")


async def run_async():
    async with AsyncPostgresSaver.from_conn_string(DATABASE) as saver:
        await saver.setup()
        agent = build(saver)
        question = None if (await agent.aget_state(CONFIG)).values else QUESTION
        return await agent.ainvoke(question, CONFIG, durability="sync")


state = run() if MODE == "sync" else asyncio.run(run_async())
print(*(message.type for message in state["messages"]))
print(state["messages"][-1].text)
