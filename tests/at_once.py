"""Several at the same moment, each in a thread and over a connection of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from flask import Flask, current_app

from pocdir.db import db, transaction

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


def meanwhile(first: Callable[[], object], second: Callable[[], T]) -> T:
    """What the second one gives, who begins when the first has written in a transaction and not committed yet."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    has_written = threading.Event()

    def run() -> T:
        has_written.wait(timeout=30)
        with app.app_context():
            return second()

    db.session.remove()
    with ThreadPoolExecutor(1) as threads:
        other = threads.submit(run)
        try:
            with transaction():
                first()
                has_written.set()
                time.sleep(0.2)
        finally:
            has_written.set()
        return other.result(timeout=30)
