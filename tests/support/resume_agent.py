"""Program for `test_agents`: start an agent and exit before its first tool runs, or continue the agent."""

import os
import sys

from agents import SCRIPT, build
from langgraph.checkpoint.sqlite import SqliteSaver

CONFIG = {"configurable": {"thread_id": "one"}}


def main():
    action, database, surface = sys.argv[1:]
    with SqliteSaver.from_conn_string(database) as saver:
        if action == "start":
            _, agent = build(surface, SCRIPT[:1], saver)
            # The agent stops before the tool runs. The saved checkpoint contains the tool call.
            for _ in agent.stream(
                {"messages": [("user", "Weather?")]}, CONFIG, stream_mode="updates", interrupt_before=["tools"]
            ):
                pass
            os._exit(9)
        fake, agent = build(surface, SCRIPT[1:], saver)
        state = agent.invoke(None, CONFIG)
        assert fake.refusals == [], fake.refusals
        assert fake.stand_ins == 0, "a signature was lost on the way"
        print(state["messages"][-1].text)


main()
