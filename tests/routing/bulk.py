"""Files to route, and the slow way to say where each row belongs."""

from __future__ import annotations

import datetime as dt
import io
import shutil
import tempfile
import weakref
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from pocdir.directory.rules.record import Directory
from pocdir.routing.actions import publish
from pocdir.routing.bulk.file import route_file
from pocdir.routing.rules.index import Index
from pocdir.routing.rules.question import Question, answered, question
from pocdir.routing.rules.registry import Registry
from pocdir.routing.rules.registry_layers import (
    Layers,
    Provenance,
    flatten,
    layer_name,
    pack_country,
)
from pocdir.routing.rules.result import Result, result_of
from tests.routing.directories import AS_OF, TODAY, Entry

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)


def a_registry(folder: Path, entries: list[Entry], systems: dict[int, str] | None = None) -> Registry:
    """A real one, of disjoint entries; `systems` are the countries of the AS."""
    rows: dict[tuple[str, int], list[tuple[int, int, int]]] = {}
    for entry in entries:
        network = ip_network(entry.prefix)
        first, last = int(network[0]), int(network[-1])
        for layer, value in (
            ("asn", entry.asn),
            ("registered", entry.registered and pack_country(entry.registered)),
            ("located", entry.located and pack_country(entry.located)),
        ):
            if value:
                rows.setdefault((layer, network.version), []).append((first, last, value))
    said = Provenance("test", AS_OF, (), "import", "0")
    names = [layer_name(*key) for key in rows] + ["asn_country"]
    ranges = {key: flatten(rows[key], key[1]) for key in rows}
    layers = Layers(ranges, {}, systems or {}, dict.fromkeys(names, said))
    publish(layers, folder=folder, expected=None, now=NOW)
    found = Registry.open(folder)
    assert found is not None
    return found


class World:
    """A directory and a registry, and files routed by them."""

    def __init__(self, directory: Directory, entries: list[Entry] | None = None, **wishes: Any) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pocdir-test-"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        systems = wishes.pop("systems", None)
        registry = a_registry(self.folder / "registry", entries, systems) if entries else None
        self.index = Index.build(directory, registry)
        self.asked: Question = question(
            self.index, on=TODAY, country_by=wishes.pop("country_by", "registered"), **wishes
        )

    def route(self, data: bytes, out: Path | None = None, **more: Any) -> dict[str, Any]:
        return route_file(
            io.BytesIO(data), index=self.index, asked=self.asked, data=self.folder, now=NOW, out=out, **more
        )

    def single(self, text: str) -> Result:
        """What the resolver says of one indicator."""
        return result_of(answered(self.index, text, self.asked))
