"""A file of any length split into parcels, one for each contact: every row goes where the resolver says."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from pocdir.routing.bulk.formulas import neutralised
from pocdir.routing.bulk.lines import gathered
from pocdir.routing.bulk.parcels import UNROUTED, Bound, Parcels
from pocdir.routing.bulk.reader import Reader, exactly, quotes_in
from pocdir.routing.bulk.records import CR, LF, QUOTE, Records, Shape, records
from pocdir.routing.bulk.rows import Columns, Compiled, Results, file_of, results_of
from pocdir.routing.bulk.workers import DEPTH, LEAST, Made, Part, Worker, processes, rooms
from pocdir.routing.rules.decisions import Decisions
from pocdir.routing.rules.index import Index
from pocdir.routing.rules.question import Question
from pocdir.routing.rules.registry_layers import Array
from pocdir.routing.rules.reports.layout import Layout
from pocdir.routing.rules.result import Result

LARGE = 256 << 20  # bytes of a file for which machine code saves more time than its loading takes
MOST_REASONS = 100  # of the manifest; unrouted.csv has them all
STATUSES = {"ok": "routed", "no_contact": "no_contact", "not_routable": "not_routable", "invalid": "invalid"}

_LINE_END = re.compile(rb"\r\n|\n|\r")
_SEP = re.compile(rb"sep=.(?:\r\n|\n|\r)", re.IGNORECASE)  # for Excel

Progress = Callable[[int, int], object]  # rows and bytes so far


class _Counts(NamedTuple):
    """Rows of one block by result: of those known before it was given away by number, of others as they are."""

    known: Array
    others: list[tuple[Result, int]]
    neutralised: int
    lines: int


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
    bound: Bound | None = None,
    name: str = "",
    large: bool = False,
) -> dict[str, Any]:
    """Route every row of the table; with `out` write the parcels there. Returns the manifest.

    `stream` begins with the table's first byte; `name` is for refusals; `large`: compiled code is worth its loading,
    where it is installed. Raises Conflict `out_not_empty`, Invalid
    `report_line_too_long`, `report_malformed`, `report_binary`, and what `bound` says; then, and whatever else
    happens, nothing is left in `out`.
    """
    work = _Work(
        layout, Results(index, asked, decisions), split=out is not None, raw=raw, name=name, large=large
    )
    header, with_reason = work.header(stream.read(layout.data_from))
    if out is None:
        for _ in work.through(stream, progress):
            pass
        return work.manifest({})
    with Parcels(out, header, with_reason, bound) as parcels:
        for parts in work.through(stream, progress):
            parcels.add(parts)
        manifest = work.manifest(parcels.digests())
        parcels.finish(manifest)
    return manifest


def machine_code() -> Compiled | None:
    """What the extra `bulk` brings; None without it. It is loaded here: that takes 0.4 s."""
    try:
        import pocdir.routing.bulk.compiled as compiled
    except ImportError:
        return None
    return compiled


class _Given(NamedTuple):
    """A block, or its size in that room, and the process that has it."""

    block: int | bytes | Records
    room: int
    worker: Worker | None


class _Work:
    """What is done with each block, and what the blocks have in common."""

    def __init__(
        self, layout: Layout, results: Results, *, split: bool, raw: bool, name: str, large: bool
    ) -> None:
        self._layout, self._results, self._split, self._raw, self._name = layout, results, split, raw, name
        self._large, self._ready = large, False
        self._fast: Compiled | None = None
        self._counts: Counter[int] = Counter()
        self._touched, self._line = 0, 1
        self._before = len(results.all)  # results that every process knows by the same number
        self._shape = Shape(layout.delimiter[0], layout.line_end[-1])
        self._columns = Columns(
            tuple(each for each in layout.columns if each[1] != "timestamp"),
            layout.encoding,
            len(layout.header or ()),
        )

    def header(self, top: bytes) -> tuple[bytes, bytes]:
        """The header of a parcel, and that of what goes to nobody.

        A comment above the header speaks of the whole file, so no parcel has it.
        """
        layout = self._layout
        said = _SEP.match(top, len(layout.bom))
        before, line = layout.bom + (said[0] if said else b""), top[layout.header_from :]
        if not self._raw:
            above = len(_lines(top[: layout.header_from]))
            found = records(line, self._shape) or exactly(line, self._shape, self.place, 1 + above)
            found, self._touched = neutralised(found)
            line = found.data
        self._line += len(_lines(top))
        return before + line, before + self.with_reason(line)

    def place(self, line: int) -> str:
        """How a refusal names a line."""
        return f"{self._name}:{line}" if self._name else f"line {line}"

    def through(self, stream: BinaryIO, progress: Progress | None) -> Iterator[list[Part]]:
        """The parts of each block, the blocks in their order; their rows are counted on the way."""
        reader = Reader(stream, self._shape, self.place, quotes=self._quotes)
        places = rooms(DEPTH * max(processes(), 1) + 1)
        crew: list[Worker] = []
        waiting: deque[_Given] = deque()
        free = list(range(len(places)))  # the last one holds the block that was read last
        try:
            while (block := reader.block(places[free[-1]])) is not None or waiting:
                if block is None or len(waiting) == DEPTH * max(len(crew), 1):
                    first = waiting.popleft()
                    made = first.worker.take() if first.worker else self._block(_content(first, places))
                    if made is None:  # this and what follows is read again
                        for busy in filter(None, (each.worker for each in waiting)):
                            busy.take()
                        again = [first, *waiting, _Given(block or b"", free[-1], None)]
                        contents = [_content(each, places) for each in again]
                        reader.give_back([each for each in contents if isinstance(each, bytes)], self._line)
                        free += [first.room, *(each.room for each in waiting)]
                        waiting.clear()
                        continue
                    free.insert(0, first.room)
                    self._count(made.said)
                    if progress:
                        progress(self._counts.total(), reader.read)
                    yield made.parts
                if block is not None:
                    waiting.append(self._given(block, free.pop(), places, crew, waiting))
        finally:
            for worker in crew:
                worker.stop()

    def _given(
        self,
        block: int | bytes | Records,
        room: int,
        places: list[Array],
        crew: list[Worker],
        waiting: deque[_Given],
    ) -> _Given:
        """To a free process; a block that is small or hard is done here when its turn comes."""
        size = 0 if isinstance(block, Records) else block if isinstance(block, int) else len(block)
        if isinstance(block, Records) or not LEAST <= size <= len(places[room]):
            return _Given(block, room, None)
        if not self._ready:
            self._ready = True
            self._results.decisions.v4.write_out()
            self._fast = machine_code() if self._large else None
            for _ in range(processes()):
                crew.append(Worker(self._block, places, crew))
        has = Counter(each.worker for each in waiting)
        free = min(crew, key=lambda worker: has[worker], default=None)
        if free and has[free] == DEPTH:
            free = None
        if free:
            if isinstance(block, bytes):
                places[room][:size] = np.frombuffer(block, np.uint8)
            free.give(room, size)
        return _Given(block, room, free)

    def _quotes(self, data: Array) -> int:
        return self._fast.count(data, QUOTE) if self._fast else quotes_in(data)

    def _count(self, found: _Counts) -> None:
        for number in np.flatnonzero(found.known).tolist():
            self._counts[number] += int(found.known[number])
        for result, rows in found.others:
            self._counts[self._results.number(result)] += rows
        self._touched += found.neutralised
        self._line += found.lines

    def _block(self, block: bytes | Records) -> Made | None:
        if isinstance(block, Records):
            found: Records | None = block
        else:
            places = self._fast.places if self._fast else None
            found = None if b"\0" in block else records(block, self._shape, places)
        if found is None:
            return None
        results = results_of(found, self._columns, self._results, self._fast)
        rows, all_ = np.bincount(results), self._results.all
        others = [(all_[n], int(rows[n])) for n in range(self._before, len(rows)) if rows[n]]
        touched = 0
        if self._split and not self._raw:
            found, touched = neutralised(found)
        parts = list(self._parts(found, results)) if self._split else []
        return Made(_Counts(rows[: self._before], others, touched, found.lines), parts)

    def _parts(self, found: Records, results: Array) -> Iterator[Part]:
        """The lines of each parcel, in the order of the file."""
        parcel = self._results.file_numbers()[results]
        order = np.argsort(parcel, kind="stable")
        start, end = found.start[order], found.end[order]
        rows = np.bincount(parcel)
        nobody = int(rows[0]) if len(rows) else 0
        if nobody:
            yield UNROUTED, self._unrouted(found.data, start[:nobody], end[:nobody], results[order[:nobody]])
        lines = gathered(np.frombuffer(found.data, np.uint8), start[nobody:], end[nobody:]).data
        sizes = np.append(0, np.cumsum(end - start))
        stops = sizes[np.append(0, np.cumsum(rows))] - sizes[nobody]
        for number in np.flatnonzero(rows).tolist():
            if number:
                yield self._results.files[number], lines[stops[number] : stops[number + 1]]

    def _unrouted(self, data: bytes, start: Array, end: Array, results: Array) -> memoryview:
        """The lines with their reasons: three spans for each, the second of them from a list of all reasons."""
        numbers, which = np.unique(results, return_inverse=True)
        reasons = [self._reason(self._results.all[number].reason or "") for number in numbers.tolist()]
        bounds = len(data) + np.cumsum([0, *map(len, reasons)])
        array = np.frombuffer(b"".join([data, *reasons]), np.uint8)
        last = array[end - 1]
        stop = end - ((last == LF) | (last == CR))
        stop -= (last == LF) & (stop > start) & (array[stop - 1] == CR)
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

    def manifest(self, digests: Mapping[str, str]) -> dict[str, Any]:
        all_ = self._results.all
        totals = Counter(dict.fromkeys(STATUSES.values(), 0))
        parcels: dict[str, list[tuple[int, Result]]] = {}
        reasons: Counter[tuple[str, str]] = Counter()
        for number, count in self._counts.items():
            totals[STATUSES[all_[number].status]] += count
            if all_[number].team:
                parcels.setdefault(file_of(all_[number]), []).append((count, all_[number]))
            elif count:
                reasons[STATUSES[all_[number].status], all_[number].reason or ""] += count
        index = self._results.index
        return {
            "rows": self._counts.total(),
            **totals,
            "neutralised": self._touched,
            "directory_version": index.directory_version,
            "registry_version": index.registry.version if index.registry else None,
            "parcels": [_parcel(name, parcels[name], digests.get(name)) for name in sorted(parcels)],
            "unrouted_sha256": digests.get(UNROUTED),
            "unrouted": _reasons(reasons),
        }


def _lines(data: bytes) -> list[bytes]:
    """The line ends in it."""
    return _LINE_END.findall(data)


def _content(given: _Given, places: list[Array]) -> bytes | Records:
    if isinstance(given.block, int):
        return places[given.room][: given.block].tobytes()
    return given.block


def _reasons(found: Counter[tuple[str, str]]) -> list[dict[str, Any]]:
    """Why rows go to nobody, the most frequent first."""
    order = sorted(found.items(), key=lambda each: (-each[1], each[0]))
    return [
        {"status": status, "reason": reason, "rows": rows} for (status, reason), rows in order[:MOST_REASONS]
    ]


def _parcel(name: str, results: list[tuple[int, Result]], digest: str | None) -> dict[str, Any]:
    """The basis of most rows stands for the parcel, all stand in `bases`."""
    results = sorted(results, key=lambda each: (-each[0], each[1].basis))
    first = results[0][1]
    return {
        "team": first.team,
        "name": first.name,
        "channel": dict(first.channel),
        "basis": dict(first.basis),
        "bases": [{"basis": dict(result.basis), "rows": count} for count, result in results],
        "rows": sum(count for count, _ in results),
        "file": name if digest else None,
        "sha256": digest,
    }
