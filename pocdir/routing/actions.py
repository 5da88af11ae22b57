"""What changes the routing data: imports into the registry, one index published in the place of another."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import io
import json
import lzma
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from pocdir.core.errors import Conflict, Invalid, Unavailable
from pocdir.routing.rules.registry import CURRENT, META, Registry, current_version, layers_in
from pocdir.routing.rules.registry_formats import COUNTRY_LAYERS, Facts, attributions_of, parse
from pocdir.routing.rules.registry_index import compile_index, meta_json, provenance_of, version_of
from pocdir.routing.rules.registry_layers import (
    FAMILIES,
    Layers,
    Provenance,
    Ranges,
    flatten,
    layer_name,
    most_said,
    unpack_columns,
)


@dataclass(frozen=True, slots=True)
class LayerChange:
    """Ranges of one layer (or AS numbers, for asn_country) after and before an import."""

    layer: str
    rows: int
    before: int
    as_of: str


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import did; `changed` is False when the same data was there already."""

    version: str
    changed: bool
    layers: tuple[LayerChange, ...]

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def import_file(
    source_format: str,
    paths: Iterable[Path],
    *,
    as_layer: str | None,
    folder: Path,
    now: dt.datetime,
    as_of: dt.date | None = None,
) -> ImportSummary:
    """Read files of one format (plain, gz or xz) and publish an index in which they replace their layers.

    `folder` is the registry's own (`<data>/registry`). A layer's family (IPv4, IPv6) on which the files say
    nothing stays; give files that belong together in one call. as_layer: registered (default) or located,
    for ip-location-country alone. The date of the data is `as_of`, else what the files state, else the day
    on which the oldest of them was last changed, never after `now`. Raises Invalid (registry_*) before
    anything changes.
    """
    if as_layer and (source_format != "ip-location-country" or as_layer not in COUNTRY_LAYERS):
        message = "ip-location-country alone is imported as a layer of choice: registered or located"
        raise Invalid("registry_layer_invalid", message)
    paths = list(paths)
    if not paths:
        raise Invalid("registry_empty", "no file given")
    digest, dates, read = hashlib.sha256(), [], []
    for path in paths:
        data = _bytes_of(path)
        digest.update(hashlib.sha256(data).digest())
        facts = parse(source_format, io.StringIO(_text_of(data, path.name), newline=""), name=path.name)
        changed = dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC).date()
        dates.append(facts.as_of or changed.isoformat())
        read.append(facts)
    provenance = Provenance(
        source=f"{source_format}: {', '.join(path.name for path in paths)}",
        as_of=as_of.isoformat() if as_of else min(*dates, now.date().isoformat()),
        attributions=attributions_of(source_format, as_layer),
        origin="import",
        digest=digest.hexdigest(),
    )
    return import_layers(_layers(read, as_layer or "registered", provenance), folder=folder, now=now)


def import_layers(new: Layers, *, folder: Path, now: dt.datetime) -> ImportSummary:
    """Publish an index in which these layers replace the same ones of the published index.

    Raises Unavailable `registry_unreadable` when the published one is damaged: its layers would be lost.
    """
    found = current_version(folder)
    old = layers_in(folder)
    layers = old.replaced(new)
    version = publish(layers, folder=folder, expected=found, now=now)
    return ImportSummary(
        version,
        version != found,
        tuple(
            LayerChange(name, _size(layers, name), _size(old, name), layers.provenance[name].as_of)
            for name in sorted(new.provenance)
        ),
    )


def load_seed_registry(seed: Path, folder: Path, *, now: dt.datetime) -> ImportSummary | None:
    """Publish the shipped snapshot (`seeds/registry`) where no newer data was imported.

    A layer that the operator imported stays; an index that cannot be read is made anew. None when there is
    nothing to do: each layer is imported, or the very one of the seed.
    """
    shipped = provenance_of(json.loads((seed / "provenance.json").read_text(encoding="utf-8")))
    try:
        registry = Registry.open(folder)
        present = registry.provenance if registry else {}
        wanted = {
            name: source
            for name, source in shipped.items()
            if name not in present or (present[name].origin == "seed" and present[name] != source)
        }
        return import_layers(_seed_layers(seed, wanted), folder=folder, now=now) if wanted else None
    except Unavailable:
        shutil.rmtree(folder)
        return import_layers(_seed_layers(seed, shipped), folder=folder, now=now)


def publish(layers: Layers, *, folder: Path, expected: str | None, now: dt.datetime) -> str:
    """Write an index beside the published one and put it in its place at once; returns its version.

    `expected` is the version found before; raises Conflict `registry_changed` when another import was faster.
    Readers keep what they have mapped. The version before stays on disk, older ones go, and so does what an
    import that was cut off an hour before `now` has left.
    """
    files, meta = compile_index(layers), meta_json(layers)
    version = version_of(files, meta)
    folder.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    try:
        fresh.chmod(0o755)
        for name, array in files.items():
            with (fresh / f"{name}.npy").open("wb") as file:
                np.save(file, array, allow_pickle=False)
                _to_disk(file)
        _write(fresh / META, meta)
        if current_version(folder) != expected:
            raise Conflict("registry_changed", "another import was faster; run this one again")
        if not (folder / version).exists():
            fresh.rename(folder / version)
        named = _write(folder / f"{fresh.name}.name", f"{version}\n")
        named.replace(folder / CURRENT)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    _sweep(folder, keep={version, expected}, abandoned=now.timestamp() - 3600)
    return version


def _layers(read: list[Facts], country_layer: str, provenance: Provenance) -> Layers:
    """The layers that the files of one import make together."""
    ranges: dict[tuple[str, int], Ranges] = {}
    for family in FAMILIES:
        for layer, rows in (
            ("asn", [row for facts in read for row in facts.systems[family]]),
            (country_layer, [row for facts in read for row in facts.countries[family]]),
        ):
            if rows:
                ranges[layer, family] = flatten(rows, family)
    asn_country = most_said(pair for facts in read for pair in facts.asn_countries)
    names = [layer_name(*key) for key in ranges] + (["asn_country"] if asn_country else [])
    holders = most_said(pair for facts in read for pair in facts.holders)
    return Layers(ranges, holders, asn_country, dict.fromkeys(names, provenance))


def _seed_layers(seed: Path, wanted: dict[str, Provenance]) -> Layers:
    ranges = {
        (layer, family): unpack_columns(lzma.decompress((seed / f"{name}.xz").read_bytes()), family)
        for layer in ("asn", *COUNTRY_LAYERS)
        for family in FAMILIES
        if (name := layer_name(layer, family)) in wanted
    }
    lines = lzma.decompress((seed / "holders.xz").read_bytes()).decode().splitlines()
    holders = {int(number): name for number, name in (line.split("\t") for line in lines)}
    return Layers(ranges, holders, {}, wanted)


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Invalid("registry_unreadable", error.strerror or str(error), where=path.name) from error


def _text_of(data: bytes, name: str) -> str:
    """The text of a file that may be packed with gzip or xz, told by its first bytes."""
    try:
        if data.startswith(b"\x1f\x8b"):
            data = gzip.decompress(data)
        elif data.startswith(b"\xfd7zXZ\x00"):
            data = lzma.decompress(data)
        return data.decode("utf-8")
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise Invalid("registry_unreadable", f"the packed file is damaged: {error}", where=name) from error
    except UnicodeDecodeError as error:
        raise Invalid("registry_unreadable", "the file is no UTF-8 text", where=name) from error


def _size(layers: Layers, name: str) -> int:
    if name == "asn_country":
        return len(layers.asn_country)
    return sum(len(ranges) for key, ranges in layers.ranges.items() if layer_name(*key) == name)


def _write(path: Path, text: str) -> Path:
    with path.open("wb") as file:
        file.write(text.encode())
        _to_disk(file)
    return path


def _to_disk(file: io.BufferedWriter) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sweep(folder: Path, *, keep: set[str | None], abandoned: float) -> None:
    for place in folder.iterdir():
        unfinished = place.name.startswith(".")
        if unfinished and place.stat().st_mtime > abandoned:
            continue
        if place.is_dir() and place.name not in keep:
            shutil.rmtree(place, ignore_errors=True)
        elif unfinished:
            place.unlink(missing_ok=True)
