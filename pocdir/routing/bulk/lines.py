"""Many spans of a block copied one after the other, without a Python object for each."""

from __future__ import annotations

import numpy as np

from pocdir.routing.rules.registry_layers import Array

AT_ONCE = 1 << 10  # spans, so that they stay in the processor's cache
SPARSE = 4  # windows that are so many times longer than what they hold are not worth it
FREE = 1 << 14  # bytes of windows that do not matter


def gathered(array: Array, start: Array, end: Array) -> Array:
    """The bytes of all spans in the order given.

    Each span is copied in a window as wide as the longest of its neighbours, and what is too much of it is
    overwritten by the next one: copies of one length are ten times faster than a slice for each.
    """
    length = end - start
    stops = np.cumsum(length)
    size = int(stops[-1]) if len(stops) else 0
    widest = int(length.max()) if len(length) else 0
    out = np.empty(size + widest, dtype=np.uint8)
    for at in range(0, len(length), AT_ONCE):
        part = slice(at, at + AT_ONCE)
        _copy(array, start[part], length[part], out, stops[part] - length[part])
    return out[:size]


def _copy(array: Array, start: Array, length: Array, out: Array, to: Array) -> None:
    width = int(length.max())
    alone = start + width > len(array)
    if width * len(length) > SPARSE * int(length.sum()) + FREE:
        alone[:] = True
    many = ~alone
    if width and many.any():
        _windows(out, width)[to[many]] = _windows(array, width)[
            start[many]
        ]  # in this order, one after the other
    for a, n, b in zip(start[alone].tolist(), length[alone].tolist(), to[alone].tolist(), strict=True):
        out[b : b + n] = array[a : a + n]


def _windows(array: Array, width: int) -> Array:
    return np.ndarray((len(array) - width + 1,), f"V{width}", array, strides=(1,))
