"""Several processes that work on blocks: numpy's steps are so short that threads would wait for one another."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Sequence
from itertools import cycle
from mmap import mmap
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import numpy as np

from pocdir.core.errors import Unavailable
from pocdir.routing.rules.registry_layers import Array

ROOM = 16 << 20  # bytes shared with each process, for a block and for what it makes of it
LEAST = 1 << 20  # bytes of a block that is worth a process
MOST = 4
KEPT = (
    31 << 20
)  # bytes: the most for which freeing so many at once teaches glibc (M_MMAP_THRESHOLD in mallopt(3))
DEPTH = 2  # blocks that a process has at most: it goes on while the last one is taken from it

Part = tuple[str, bytes | memoryview]


class Made(NamedTuple):
    """What came of a block: whatever can be sent, and the bytes for each name."""

    said: Any
    parts: list[Part]


Work = Callable[[bytes], Made | None]


def processes() -> int:
    """How many to start; none where a process cannot be forked, and then the caller does the work."""
    if "fork" not in multiprocessing.get_all_start_methods():
        return 0
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(available, MOST) if available > 1 else 0


def rooms(count: int) -> list[Array]:
    """Places for a block each, which every process sees that is started later."""
    return [np.frombuffer(mmap(-1, ROOM), np.uint8) for _ in range(count)]


class Worker:
    """One process with up to DEPTH blocks. Blocks and lines lie in memory that both see."""

    def __init__(self, work: Work, rooms: Sequence[Array], earlier: Sequence[Worker] = ()) -> None:
        context = multiprocessing.get_context("fork")  # it has the decisions without a copy
        areas = [mmap(-1, ROOM) for _ in range(DEPTH)]
        self._areas = cycle(areas)
        self._connection, theirs = context.Pipe()
        # A process that kept its creator's ends of the pipes would not notice that it is left alone.
        not_its = [self._connection, *(worker._connection for worker in earlier)]
        self._process = context.Process(
            target=_serve, args=(work, theirs, not_its, rooms, areas), daemon=True
        )
        self._process.start()
        theirs.close()

    def give(self, room: int, size: int) -> None:
        """The block in the first bytes of that room, which is left alone until take()."""
        self._connection.send((room, size))

    def take(self) -> Made | None:
        """What was made of the block given first.

        Raises Unavailable `worker_ended` when the process was ended from outside.
        """
        area = next(self._areas)
        try:
            made, sizes, failure = self._connection.recv()
        except EOFError:
            raise Unavailable(
                "worker_ended", "a process that routed rows was ended; is memory short?"
            ) from None
        if failure:
            raise RuntimeError(failure)
        if made is None or sizes is None:
            return made
        parts: list[Part] = []
        at = 0
        for name, size in sizes:
            parts.append((name, area[at : at + size]))
            at += size
        return Made(made.said, parts)

    def stop(self) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()


def _serve(
    work: Work,
    connection: Connection,
    not_its: list[Connection],
    rooms: Sequence[Array],
    areas: Sequence[mmap],
) -> None:
    for other in not_its:
        other.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it stops it
    np.empty(
        KEPT, np.uint8
    )  # glibc keeps as much from now on; else each block's memory comes from the kernel anew
    gc.freeze()  # the index and all else that is there stays, and is looked through no more
    for made in cycle(areas):
        try:
            room, size = connection.recv()
        except EOFError:
            return
        try:
            connection.send((*_laid_out(work(rooms[room][:size].tobytes()), made), None))
        except BrokenPipeError:
            return  # whoever started it was killed
        except Exception:
            connection.send((None, None, traceback.format_exc()))


def _laid_out(done: Made | None, made: mmap) -> tuple[Made | None, list[tuple[str, int]] | None]:
    """The parts one after the other in the shared memory; sent as they are where they do not fit."""
    if done is None:
        return None, None
    if sum(len(part) for _, part in done.parts) > len(made):
        return Made(done.said, [(name, bytes(part)) for name, part in done.parts]), None
    at = 0
    for _, part in done.parts:
        made[at : at + len(part)] = part
        at += len(part)
    return Made(done.said, []), [(name, len(part)) for name, part in done.parts]
