"""How long work takes in CPU seconds of this process, the best of several rounds side by side."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping

ROUNDS = 60  # many and short: the best one met no other work on the machine


def seconds_per_call(
    workloads: Mapping[str, Callable[[], object]], calls: int, rounds: int = ROUNDS
) -> dict[str, float]:
    """CPU seconds of one call of each workload: the best round, all taking turns so that noise hits all."""
    best = dict.fromkeys(workloads, float("inf"))
    for workload in workloads.values():
        for _ in range(min(calls, 200)):
            workload()
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, workload in workloads.items():
                before = time.process_time()
                for _ in range(calls):
                    workload()
                best[name] = min(best[name], (time.process_time() - before) / calls)
    finally:
        gc.enable()
    return best
