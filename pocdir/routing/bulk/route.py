"""A file of any length split into parcels, one for each contact: every row goes where the resolver says."""

from __future__ import annotations

import os
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from pocdir.routing.bulk.formulas import neutralised
from pocdir.routing.bulk.lines import gathered
from pocdir.routing.bulk.parcels import UNROUTED, Parcels
from pocdir.routing.bulk.records import CR, Reader, Records, Shape, records
from pocdir.routing.bulk.rows import Columns, Outcomes, file_of, outcomes_of
from pocdir.routing.rules.decisions import Decisions
from pocdir.routing.rules.index import Index
from pocdir.routing.rules.outcome import Outcome
from pocdir.routing.rules.question import Question
from pocdir.routing.rules.registry_layers import Array
from pocdir.routing.rules.reports.layout import Layout

WORKERS = min(4, os.cpu_count() or 1)
MOST_REASONS = 100  # of the manifest; unrouted.csv has them all
STATUSES = {"ok": "routed", "no_contact": "no_contact", "not_routable": "not_routable", "invalid": "invalid"}

_SEP = re.compile(rb"sep=.(?:\r\n|\n|\r)", re.IGNORECASE)  # for Excel

Progress = Callable[[int, int], object]  # rows and bytes so far


class _Done(NamedTuple):
    """What became of one block."""

    rows: int
    counts: Array  # rows by outcome
    neutralised: int
    parts: list[tuple[str, memoryview]]


def route(
    stream: BinaryIO,
    layout: Layout,
    *,
    index: Index,
    asked: Question,
    decisions: Decisions,
    out: Path | None = None,
    raw: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Route every row of the table; with `out` write the parcels there. Returns the manifest.

    `stream` begins with the table's first byte. Raises Conflict `out_not_empty` and Invalid `report_line_too_long`;
    then, and whatever else happens, nothing is left in `out`.
    """
    work = _Work(layout, Outcomes(index, asked, decisions), split=out is not None, raw=raw)
    header, with_reason, touched = work.header(stream.read(layout.data_from))
    counts: Counter[int] = Counter()
    rows = 0
    if out is None:
        for done in work.through(stream, progress):
            rows, touched = rows + done.rows, touched + done.neutralised
            _count(counts, done.counts)
        return work.manifest(counts, rows, touched, {})
    with Parcels(out, header, with_reason) as parcels:
        for done in work.through(stream, progress):
            rows, touched = rows + done.rows, touched + done.neutralised
            _count(counts, done.counts)
            parcels.add(done.parts)
        manifest = work.manifest(counts, rows, touched, parcels.digests())
        parcels.finish(manifest)
    return manifest


def _count(counts: Counter[int], found: Array) -> None:
    for number in np.flatnonzero(found).tolist():
        counts[number] += int(found[number])


class _Work:
    """What is done with each block, by several threads: numpy lets them run beside one another."""

    def __init__(self, layout: Layout, outcomes: Outcomes, *, split: bool, raw: bool) -> None:
        self._layout, self._outcomes, self._split, self._raw = layout, outcomes, split, raw
        self._shape = Shape(layout.delimiter[0], layout.line_end[-1])
        self._columns = Columns(
            tuple(each for each in layout.columns if each[1] != "timestamp"), layout.encoding
        )

    def header(self, top: bytes) -> tuple[bytes, bytes, int]:
        """The header of a parcel, that of what goes to nobody, and how many of its cells were made harmless.

        A comment above the header speaks of the whole file, so no parcel has it.
        """
        layout = self._layout
        said = _SEP.match(top, len(layout.bom))
        before, line, touched = layout.bom + (said[0] if said else b""), top[layout.header_from :], 0
        found = None if self._raw else records(line, self._shape)
        if found is not None:
            found, touched = neutralised(found)
            line = found.data
        return before + line, before + self.with_reason(line), touched

    def through(self, stream: BinaryIO, progress: Progress | None) -> Iterator[_Done]:
        """The blocks in their order."""
        reader = Reader(stream, self._shape)
        rows = 0
        pending: deque[tuple[bytes | Records, Future[_Done | None]]] = deque()
        with ThreadPoolExecutor(WORKERS) as pool:
            try:
                while True:
                    while len(pending) <= WORKERS and (block := reader.block()) is not None:
                        pending.append((block, pool.submit(self._block, block)))
                    if not pending:
                        return
                    first, future = pending.popleft()
                    done = future.result()
                    if done is None:
                        again = [first, *(block for block, _ in pending)]
                        reader.give_back([block for block in again if isinstance(block, bytes)])
                        pending.clear()
                        continue
                    rows += done.rows
                    if progress:
                        progress(rows, reader.read)
                    yield done
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _block(self, block: bytes | Records) -> _Done | None:
        found = records(block, self._shape) if isinstance(block, bytes) else block
        if found is None:
            return None
        outcomes = outcomes_of(found, self._columns, self._outcomes)
        counts = np.bincount(outcomes)
        if not self._split:
            return _Done(len(outcomes), counts, 0, [])
        found, touched = (found, 0) if self._raw else neutralised(found)
        return _Done(len(outcomes), counts, touched, list(self._parts(found, outcomes)))

    def _parts(self, found: Records, outcomes: Array) -> Iterator[tuple[str, memoryview]]:
        """The lines of each parcel, in the order of the file."""
        parcel = self._outcomes.file_numbers()[outcomes]
        order = np.argsort(parcel, kind="stable")
        start, end = found.start[order], found.end[order]
        rows = np.bincount(parcel)
        nobody = int(rows[0]) if len(rows) else 0
        if nobody:
            yield UNROUTED, self._unrouted(found.data, start[:nobody], end[:nobody], outcomes[order[:nobody]])
        lines = gathered(np.frombuffer(found.data, np.uint8), start[nobody:], end[nobody:]).data
        sizes = np.append(0, np.cumsum(end - start))
        stops = sizes[np.append(0, np.cumsum(rows))] - sizes[nobody]
        for number in np.flatnonzero(rows).tolist():
            if number:
                yield self._outcomes.files[number], lines[stops[number] : stops[number + 1]]

    def _unrouted(self, data: bytes, start: Array, end: Array, outcomes: Array) -> memoryview:
        """The lines with their reasons: three spans for each, the second of them from a list of all reasons."""
        numbers, which = np.unique(outcomes, return_inverse=True)
        reasons = [self._reason(self._outcomes.all[number].reason or "") for number in numbers.tolist()]
        bounds = len(data) + np.cumsum([0, *map(len, reasons)])
        array = np.frombuffer(b"".join([data, *reasons]), np.uint8)
        stop = end - (array[end - 1] == self._shape.newline)
        stop -= (stop > start) & (array[stop - 1] == CR) & (stop < end)
        starts = np.stack([start, bounds[which], stop], axis=1).ravel()
        ends = np.stack([stop, bounds[which + 1], end], axis=1).ravel()
        return gathered(array, starts, ends).data

    def _reason(self, reason: str) -> bytes:
        cell = '"' + reason.replace('"', '""') + '"'
        return self._layout.delimiter + cell.encode(self._layout.encoding, "replace")

    def with_reason(self, line: bytes) -> bytes:
        """The header with one name more."""
        kept = line.removesuffix(b"\n").removesuffix(b"\r")
        return b"".join((kept, self._reason("reason"), line[len(kept) :])) if line else line

    def manifest(self, counts: Counter[int], rows: int, touched: int, digests: Any) -> dict[str, Any]:
        all_ = self._outcomes.all
        totals = Counter(dict.fromkeys(STATUSES.values(), 0))
        parcels: dict[str, list[tuple[int, Outcome]]] = {}
        reasons: Counter[tuple[str, str]] = Counter()
        for number, count in counts.items():
            totals[STATUSES[all_[number].status]] += count
            if all_[number].team:
                parcels.setdefault(file_of(all_[number]), []).append((count, all_[number]))
            elif count:
                reasons[STATUSES[all_[number].status], all_[number].reason or ""] += count
        index = self._outcomes.index
        return {
            "rows": rows,
            **totals,
            "neutralised": touched,
            "directory_version": index.directory_version,
            "registry_version": index.registry.version if index.registry else None,
            "parcels": [_parcel(name, parcels[name], digests.get(name)) for name in sorted(parcels)],
            "unrouted_sha256": digests.get(UNROUTED),
            "unrouted": _reasons(reasons),
        }


def _reasons(found: Counter[tuple[str, str]]) -> list[dict[str, Any]]:
    """Why rows go to nobody, the most frequent first."""
    order = sorted(found.items(), key=lambda each: (-each[1], each[0]))
    return [
        {"status": status, "reason": reason, "rows": rows} for (status, reason), rows in order[:MOST_REASONS]
    ]


def _parcel(name: str, outcomes: list[tuple[int, Outcome]], digest: str | None) -> dict[str, Any]:
    """The basis of most rows stands for the parcel, all stand in `bases`."""
    outcomes = sorted(outcomes, key=lambda each: (-each[0], each[1].basis))
    first = outcomes[0][1]
    return {
        "team": first.team,
        "name": first.name,
        "channel": dict(first.channel),
        "basis": dict(first.basis),
        "bases": [{"basis": dict(outcome.basis), "rows": count} for count, outcome in outcomes],
        "rows": sum(count for count, _ in outcomes),
        "file": name if digest else None,
        "sha256": digest,
    }
