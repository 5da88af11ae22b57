"""Many spans of a block copied one after the other, without a Python object for each."""

from __future__ import annotations

import numpy as np

from pocdir.routing.bulk.records import NEAR
from pocdir.routing.rules.registry_layers import Array

SPARSE = 4  # windows that are so many times longer than what they hold are not worth it


def gathered(array: Array, start: Array, end: Array) -> Array:
    """The bytes of all spans in the order given.

    Each span is looked at through a window as wide as the longest of its neighbours: a copy of fixed length and
    a mask are ten times faster than a slice for each.
    """
    length = end - start
    out = np.empty(int(length.sum()), dtype=np.uint8)
    filled = at = 0
    while at < len(length):
        size = max(NEAR // (int(length[at : at + NEAR // 64].max()) + 1), 1)
        part = slice(at, at + size)
        found = _near(array, start[part], length[part])
        out[filled : filled + len(found)] = found
        filled, at = filled + len(found), at + size
    return out


def _near(array: Array, start: Array, length: Array) -> Array:
    width = int(length.max())
    if width * len(length) > SPARSE * int(length.sum()) + NEAR:
        return np.concatenate(
            [array[a : a + n] for a, n in zip(start.tolist(), length.tolist(), strict=True)]
        )
    windows = np.ndarray((len(array) - width + 1,), f"V{max(width, 1)}", array, strides=(1,))
    begin = np.minimum(start, len(windows) - 1)
    skipped = start - begin  # of a window that would reach over the end
    text = windows[begin].view(np.uint8).reshape(len(start), -1)
    place = np.arange(text.shape[1], dtype=np.int32)
    inside = place < (skipped + length).astype(np.int32)[:, None]
    if skipped.any():
        inside &= place >= skipped.astype(np.int32)[:, None]
    found: Array = text[inside]
    return found
