"""The registry's index: all layers cut into disjoint pieces, as arrays that can be mapped from a file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pocdir.routing.rules.registry_layers import (
    FAMILIES,
    RANGE_LAYERS,
    Array,
    Attribution,
    Layers,
    Provenance,
    Ranges,
    combine,
    layer_name,
    pack_country,
    to_words,
)

FORMAT = 1  # of the files; an index of another format is not opened


@dataclass(frozen=True, slots=True)
class Index:
    """Disjoint pieces of one family's space, in order, as arrays of one length.

    first, last: uint32, for IPv6 two rows of uint64 (high, low half). system: row in the table of AS (0:
    none). registered, located: packed country codes (0: none). source_first, source_last: the range in which
    the AS and the registered country hold.
    """

    first: Array
    last: Array
    system: Array
    registered: Array
    located: Array
    source_first: Array
    source_last: Array


INDEX_COLUMNS = tuple(Index.__slots__)


def compile_index(layers: Layers) -> dict[str, Array]:
    """All arrays of the index, and of the layers that it is made from, by file name without `.npy`."""
    numbers = _system_numbers(layers)
    files: dict[str, Array] = {}
    pairs = []
    for family in FAMILIES:
        index = _index(layers, family, numbers)
        files |= {f"v{family}_{name}": getattr(index, name) for name in INDEX_COLUMNS}
        pairs.append(index.system.astype(np.int64) << 16 | index.registered)
    files |= _systems(layers, numbers, np.unique(np.concatenate(pairs)))
    for (layer, family), ranges in layers.ranges.items():
        name = layer_name(layer, family)
        files[f"layer_{name}_first"] = to_words(ranges.first, family)
        files[f"layer_{name}_last"] = to_words(ranges.last, family)
        files[f"layer_{name}_value"] = ranges.value
    return files


def _system_numbers(layers: Layers) -> Array:
    """Every AS number in order, after a 0 that stands for no AS."""
    used = [ranges.value for (layer, _), ranges in layers.ranges.items() if layer == "asn"]
    return np.unique(np.concatenate([*used, np.array([0, *layers.asn_country], dtype=np.uint32)]))


def _index(layers: Layers, family: int, numbers: Array) -> Index:
    asn, registered, located = (layers.ranges.get((layer, family)) for layer in RANGE_LAYERS)
    base, (by_asn, by_registered) = combine([asn, registered], family)
    pieces, (by_base, by_located) = combine([base, located], family)
    system = np.searchsorted(numbers, _values(asn, by_asn)).astype(np.uint32)
    country = _values(registered, by_registered)
    return Index(
        first=to_words(pieces.first, family),
        last=to_words(pieces.last, family),
        system=_at(system, by_base, np.uint32(0)),
        registered=_at(country, by_base, np.uint32(0)).astype(np.uint16),
        located=_values(located, by_located).astype(np.uint16),
        source_first=to_words(_at(base.first, by_base, pieces.first), family),
        source_last=to_words(_at(base.last, by_base, pieces.last), family),
    )


def _values(ranges: Ranges | None, rows: Array) -> Array:
    return _at(ranges.value if ranges else np.empty(0, dtype=np.uint32), rows, np.uint32(0))


def _at(column: Array, rows: Array, otherwise: Any) -> Array:
    """The column at those rows, `otherwise` where the row is -1."""
    if not len(column):
        return np.full(len(rows), otherwise)
    return np.where(rows >= 0, column[np.maximum(rows, 0)], otherwise)


def _systems(layers: Layers, numbers: Array, pairs: Array) -> dict[str, Array]:
    """The table of AS: number, holder, own country, its prefixes' countries (pairs: row << 16 | country)."""
    names = [layers.holders.get(number, "").encode() for number in numbers.tolist()]
    countries = [layers.asn_country.get(number) for number in numbers.tolist()]
    pairs = pairs[((pairs >> 16) > 0) & ((pairs & 0xFFFF) > 0)]
    return {
        "systems_number": numbers,
        "systems_country": np.array([pack_country(c) if c else 0 for c in countries], dtype=np.uint16),
        "systems_holder": np.cumsum([0, *map(len, names)]).astype(np.uint32),
        "holders": np.frombuffer(b"".join(names), dtype=np.uint8),
        "systems_registered": np.searchsorted(pairs >> 16, np.arange(len(numbers) + 1)).astype(np.uint32),
        "registered_codes": (pairs & 0xFFFF).astype(np.uint16),
    }


def meta_json(layers: Layers) -> str:
    """The description that lies beside the arrays."""
    provenance = {name: asdict(layers.provenance[name]) for name in sorted(layers.provenance)}
    return json.dumps({"format": FORMAT, "provenance": provenance}, indent=1, ensure_ascii=False) + "\n"


def provenance_of(meta: dict[str, Any]) -> dict[str, Provenance]:
    """The provenance of each layer from the parsed description."""
    sources = {}
    for name, fields in meta["provenance"].items():
        attributions = tuple(Attribution(**attribution) for attribution in fields["attributions"])
        sources[name] = Provenance(**{**fields, "attributions": attributions})
    return sources


def version_of(files: dict[str, Array], meta: str) -> str:
    """The first 16 hexadecimal digits of SHA-256 over description and arrays, in the order of their names."""
    digest = hashlib.sha256(meta.encode())
    for name in sorted(files):
        digest.update(f"\n{name} {files[name].dtype.str} {files[name].shape}\n".encode())
        digest.update(np.ascontiguousarray(files[name]).data)
    return digest.hexdigest()[:16]
