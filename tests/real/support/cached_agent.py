"""Program for `test_databases`: an agent whose first answer is in Redis after the first run."""

import asyncio
import sys

from langchain.agents import create_agent
from langchain_community.cache import AsyncRedisCache, RedisCache
from langgraph.cache.redis import RedisCache as NodeCache
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import CachePolicy
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from langchain_gemini_compat import ChatGeminiCompat

KIND, ACTION, REDIS, SURFACE, URL = sys.argv[1:]
QUESTION = {"messages": [("user", "Weather?")]}


def get_weather(city: str) -> str:
    """Weather of a city."""
    return f"sunny in {city}"


def get_time(city: str) -> str:
    """Local time of a city."""
    return f"noon in {city}"


TOOLS = [get_weather, get_time]


def build_model(cache=None):
    return ChatGeminiCompat(model="gemini-3.8-flash", surface=SURFACE, base_url=URL, api_key="k", cache=cache)


def build_graph():
    """A graph of the page on LangGraph, whose node `ask` is cached."""
    model = build_model().bind_tools(TOOLS)
    builder = StateGraph(MessagesState)
    # The ids of messages differ in each run, so the cache key contains only types and contents.
    policy = CachePolicy(key_func=lambda state: repr([(one.type, one.content) for one in state["messages"]]))
    builder.add_node("ask", lambda state: {"messages": model.invoke(state["messages"])}, cache_policy=policy)
    builder.add_node("tools", ToolNode(TOOLS))
    builder.add_edge(START, "ask")
    builder.add_conditional_edges("ask", tools_condition)
    builder.add_edge("tools", "ask")
    return builder.compile(cache=NodeCache(Redis.from_url(REDIS)))


async def run_async(**options):
    redis = AsyncRedis.from_url(REDIS)
    try:
        return await create_agent(build_model(AsyncRedisCache(redis)), TOOLS).ainvoke(QUESTION, **options)
    finally:
        await redis.aclose()


options = {"interrupt_before": ["tools"]} if ACTION == "ask" else {}
if KIND == "async model":
    state = asyncio.run(run_async(**options))
else:
    agent = build_graph() if KIND == "node" else create_agent(build_model(RedisCache(Redis.from_url(REDIS))), TOOLS)
    state = agent.invoke(QUESTION, **options)
print(*(message.type for message in state["messages"]))
print(state["messages"][-1].text)
