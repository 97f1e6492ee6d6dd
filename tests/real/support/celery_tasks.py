"""Celery's application for `test_workers`. The broker is a folder, so no server is needed."""

import os

from asking import ask, build, report
from celery import Celery
from celery.signals import worker_init

FOLDER = os.environ["CELERY_FOLDER"]
MODEL = build()
app = Celery(
    "celery_tasks", broker=os.environ.get("CELERY_BROKER", "filesystem://"), backend=f"file://{FOLDER}/results"
)
if app.conf.broker_url.startswith("filesystem"):
    queue = f"{FOLDER}/queue"
    app.conf.broker_transport_options = {
        "data_folder_in": queue,
        "data_folder_out": queue,
        "control_folder": f"{FOLDER}/control",
    }
app.conf.update(worker_prefetch_multiplier=1, worker_max_tasks_per_child=4, broker_connection_retry_on_startup=True)


@worker_init.connect
def use_model_in_parent(**_):
    """The parent has used the model, and has open connections, when it forks the workers."""
    ask(MODEL, "sync", "parent")
    ask(MODEL, "async", "parent")


@app.task
def work(mode, text):
    return report(MODEL, mode, text)
