"""One thread a process: small tensors gain nothing from more, and threads of many processes wait for each other."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list) -> None:
    """The commands of the documents take longest: they come first, so that two processes end together."""
    items.sort(key=lambda item: "test_docs" not in item.nodeid)
