"""IPv4 addresses read from text, all of a block at once."""

from __future__ import annotations

import numpy as np

from pocdir.routing.rules.registry_layers import Array

WIDTH = 16  # bytes looked at: the longest address, 255.255.255.255, and what ends it
ROWS = 1 << 13  # at once, so that all arrays stay in the processor's cache
DOT, ZERO, NO_SHAPE = 46, 48, 81


def _shapes() -> tuple[Array, Array]:
    """The number of the shape for each set of dots and end (as bits), and for each shape where its octets end."""
    number = np.full(1 << WIDTH, NO_SHAPE, dtype=np.uint8)
    ends = np.zeros((4, NO_SHAPE + 1), dtype=np.intp)
    for shape in range(NO_SHAPE):
        sizes = [shape // 3**place % 3 + 1 for place in range(4)]
        stops = np.cumsum(sizes) + np.arange(4)
        number[np.bitwise_or.reduce(1 << stops)] = shape
        ends[:, shape] = stops - 1
    return number, ends


SHAPES, OCTET_ENDS = _shapes()


def parse(array: Array, start: Array) -> tuple[Array, Array, Array]:
    """The address (uint32) that begins at each place of the bytes, in its canonical spelling; whether there is one;
    and the place after its last digit.

    Whoever asks looks whether what stands there may end it. What lies in the last bytes of the array is none, and
    left to a slower reader.
    """
    numbers = np.zeros(len(start), dtype=np.uint32)
    found = np.zeros(len(start), dtype=bool)
    stops = np.array(start)
    if len(array) < WIDTH:
        return numbers, found, stops
    windows = np.ndarray((len(array) - WIDTH + 1,), f"V{WIDTH}", array, strides=(1,))
    for row in range(0, len(start), ROWS):
        part = slice(row, row + ROWS)
        begin = np.minimum(start[part], len(windows) - 1)
        text = windows[begin].view(np.uint8).reshape(-1, WIDTH)
        numbers[part], found[part], length = _parse(text)
        found[part] &= begin == start[part]
        stops[part] = begin + length
    return numbers, found, stops


def _parse(text: Array) -> tuple[Array, Array, Array]:
    """The same for windows of WIDTH bytes: sets of places are bits, the values of octets grow from left to right."""
    digit = text - np.uint8(ZERO)
    dots, digits = _bits(text == DOT), _bits(digit < 10)
    other = ~(dots | digits)
    end = other & (~other + np.uint16(1))
    inside = end - np.uint16(1)
    dots &= inside
    begins = dots << np.uint16(1) | np.uint16(1)
    octal = (
        _bits(digit == 0) & begins & (digits >> np.uint16(1)) & inside >> np.uint16(1)
    )  # to some: a leading zero
    shape = SHAPES.take(dots | end).astype(np.intp)
    values = _values(digit.T.astype(np.uint16, order="C")).ravel()
    rows = np.arange(len(text))
    number = np.zeros(len(text), dtype=np.uint32)
    found = (octal == 0) & (shape != NO_SHAPE) & (other != 0)
    for ends in OCTET_ENDS * len(text):
        octet = values.take(ends.take(shape) + rows)
        found &= octet < 256
        number = number << np.uint32(8) | octet
    return number, found, np.bitwise_count(inside)


def _bits(places: Array) -> Array:
    """Of all rows at once: with an axis it takes 50 times as long."""
    return np.packbits(places, bitorder="little").view("<u2")


def _values(digit: Array) -> Array:
    """At each place the number that the digits up to it make, from the last byte that is no digit on."""
    values, kept = np.empty_like(digit), (digit < 10).astype(digit.dtype)
    value = np.zeros(digit.shape[1], dtype=digit.dtype)
    for following, column, keep in zip(values, digit, kept, strict=True):
        np.multiply(value, digit.dtype.type(10), out=following)
        following += column
        following *= keep
        value = following
    return values
