"""Several at the same moment, each in a thread and over a connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pocdir.db import db

T = TypeVar("T")


def at_once(acts: Sequence[Callable[[], T]]) -> list[T]:
    """What each of these gives, in their order, all begun together; raises what any of them raises."""
    together = threading.Barrier(len(acts))

    def run(act: Callable[[], T]) -> T:
        together.wait(timeout=30)
        return act()

    db.session.remove()
    with ThreadPoolExecutor(len(acts)) as threads:
        return [each.result(timeout=60) for each in [threads.submit(run, act) for act in acts]]
