"""Figures as a CSV that a spreadsheet reads without running any of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from pocdir.core.cells import harmless
from pocdir.latency.rules import OTHER_ENDS, WINDOWS, Group


def csv_text(groups: Iterable[Group], about: Mapping[str, str], *, notes: Sequence[str]) -> str:
    """A line of each group, seconds and shares as plain numbers, empty = not reached.

    `notes` stand above as comment lines, so that no figure travels without them; `about` fills the same
    cells of every line.
    """
    file = io.StringIO()
    file.writelines(f"# {' '.join(note.split())}\r\n" for note in notes)
    writer = csv.writer(file)
    writer.writerow((
        *about, "key", "label", "n", "answered", "undated", "still_open", *OTHER_ENDS, "median_seconds", "band_from",
        "band_to", "quartile_1", "quartile_3", *(f"within_{window}" for window in WINDOWS),
        "promise_n", "within_promise", "promise_shortest_seconds", "promise_longest_seconds", "states",
    ))  # fmt: skip
    for each in groups:
        numbers = (
            each.n, each.events, each.undated, each.censored, *(each.ended_otherwise[end] for end in OTHER_ENDS),
            each.median_seconds, *each.band, *each.quartiles,
            *(each.within[window] for window in WINDOWS), each.promise.n, each.promise.share,
            each.promise.shortest_seconds, each.promise.longest_seconds, " ".join(each.states),
        )  # fmt: skip
        writer.writerow([*map(plain, about.values()), plain(each.key), plain(each.label), *numbers])
    return file.getvalue()


def plain(text: str) -> str:
    """The text with an apostrophe before what would start a spreadsheet's formula."""
    return harmless(text)
