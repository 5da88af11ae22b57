"""The registry snapshot: ranges of AS and registered country as packed columns, holders as text."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import lzma
from dataclasses import asdict
from pathlib import Path

from pocdir.routing.rules.registry_formats import attributions_of, parse
from pocdir.routing.rules.registry_layers import (
    Provenance,
    flatten,
    layer_name,
    most_said,
    pack_columns,
)

AS_OF = "2026-06-17"
FILES = (  # layer, family, format, file
    ("asn", 4, "ip-location-asn", "asn-ipv4.csv.gz"),
    ("asn", 6, "ip-location-asn", "asn-ipv6.csv.gz"),
    ("registered", 4, "ip-location-country", "asn-country-ipv4.csv.gz"),
    ("registered", 6, "ip-location-country", "asn-country-ipv6.csv.gz"),
)


def registry_files(material: Path) -> dict[str, bytes]:
    """The snapshot's files by name; those that end in .xz are not packed yet."""
    files: dict[str, bytes] = {}
    provenance: dict[str, Provenance] = {}
    said: list[tuple[int, str]] = []
    for layer, family, source_format, name in FILES:
        data = (material / name).read_bytes()
        text = io.StringIO(gzip.decompress(data).decode("utf-8"), newline="")
        facts = parse(source_format, text, name=name)
        rows = facts.systems if layer == "asn" else facts.countries
        files[f"{layer_name(layer, family)}.xz"] = pack_columns(flatten(rows[family], family), family)
        said += facts.holders
        provenance[layer_name(layer, family)] = Provenance(
            source=f"ip-location-db {name.split('-ipv')[0]} 2.3.2026061719",
            as_of=AS_OF,
            attributions=attributions_of(source_format),
            origin="seed",
            digest=hashlib.sha256(data).hexdigest(),
        )
    holders = "".join(f"{number}\t{name}\n" for number, name in most_said(said).items())
    files["holders.xz"] = holders.encode()
    described = {"provenance": {name: asdict(source) for name, source in provenance.items()}}
    files["provenance.json"] = (json.dumps(described, indent=1) + "\n").encode()
    return files


def pack(files: dict[str, bytes]) -> dict[str, bytes]:
    """The same files as they are written."""
    preset = 9 | lzma.PRESET_EXTREME
    return {
        name: lzma.compress(data, preset=preset) if name.endswith(".xz") else data
        for name, data in files.items()
    }
