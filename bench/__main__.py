"""Every benchmark in one run: `python -m bench` prints ratios, which hold on any machine; times do not."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench import directory_import, expectations, lookup, notify, rebuild, route, sightings, start
from pocdir import config
from pocdir.app import create_app
from pocdir.core import clock
from pocdir.db import db
from pocdir.routing.queries import index
from pocdir.site.actions.start import prepare


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="pocdir-bench-") as name:
        folder = Path(name)
        environment = {"POCDIR_DATA": name, "POCDIR_LOG_LEVEL": "error"}
        settings = config.load(environment)
        app = create_app(settings)
        with app.app_context():
            list(prepare(settings, now=clock.now()))
            told = told_first()
            rates = lookup.in_process(index())
        print(f"Python {platform.python_version()}, {os.cpu_count()} processors, {platform.machine()}\n")
        report_resolver(rates)
        report_rebuild(rebuild.measure(folder / "registry"))
        report_lookup(lookup.measure(app))
        report_start(start.measure(environment), start.heavy_modules(environment))
        report_notify(notify.measure(app, folder / "pocdir.db", told))
        report_import(directory_import.measure())
        report_sightings(sightings.measure())
        report_expectations(expectations.measure())
        report_route(environment)
        with app.app_context():
            db.engine.dispose()


def told_first() -> str:
    """The slug of a seeded team that can be written to."""
    teams = index().indexed.values()
    return next(it.team.slug for it in teams if it.reach["incident"].channel)


def report_resolver(rates: dict[str, float]) -> None:
    print("Single lookups in process, a second of CPU")
    for name, value in rates.items():
        print(f"  {name:26} {value:8.0f}")
    verdict("frozen values", rates["frozen values"], at_least=20_000)
    verdict("JSON-ready", rates["JSON-ready"], at_least=8_000)


def report_rebuild(seconds: dict[str, float]) -> None:
    print("\nMaking the index anew, seconds of CPU")
    for name, value in seconds.items():
        print(f"  {name:26} {value:8.2f}")
    verdict("both together", sum(seconds.values()), at_most=5)


def report_lookup(seconds: dict[str, float]) -> None:
    print("One request in process, CPU")
    bare, nothing = seconds["bare Flask"], seconds["do-nothing view"]
    for name, value in seconds.items():
        print(
            f"  {name:26} {value * 1e6:8.0f} us {value / bare:6.2f} x bare {value / nothing:6.2f} x do-nothing"
        )
    verdict("lookup / do-nothing view", seconds["lookup"] / nothing, at_most=2)
    verdict("lookup / bare Flask", seconds["lookup"] / bare, at_most=4.5)


def report_start(seconds: dict[str, float], heavy: list[str]) -> None:
    print("\nStarting in a fresh interpreter")
    for name, value in seconds.items():
        print(f"  {name:26} {value:8.2f} s")
    verdict("create_app() / foundation", seconds["create_app()"] / seconds["foundation"], at_most=4)
    verdict("pocdir lookup, seconds", seconds["pocdir lookup"], at_most=1.5)
    verdict("heavy modules loaded", len(heavy), at_most=0)


def report_notify(rates: dict[str, float]) -> None:
    print("\nWriting, one commit each")
    for name, value in rates.items():
        print(f"  {name:26} {value:8.0f} a second")
    append, post = rates["ledger append"], rates["POST /notifications"]
    verdict("ledger append / raw event", append / rates["raw event"], at_least=0.4)
    verdict("POST / raw event", post / rates["raw event again"], at_least=0.08)
    verdict(
        "POST of an event / raw event", rates["POST .../events"] / rates["raw event again"], at_least=0.15
    )
    print(
        f"  beside a bare row: append {append / rates['raw row']:.2f}, POST {post / rates['raw row again']:.2f}"
    )


def report_import(found: dict[str, dict[str, float]]) -> None:
    print(f"\nImporting {directory_import.RECORDS} records into an embedded database")
    for name, each in found.items():
        print(f"  {name:26} {each['seconds']:8.1f} s {each['megabytes']:6.0f} MB")
    verdict("slowest import, seconds", max(each["seconds"] for each in found.values()), at_most=60)
    verdict("largest import, MB", max(each["megabytes"] for each in found.values()), at_most=500)


def report_sightings(found: dict[str, dict[str, float]]) -> None:
    print(f"\nBringing {sightings.SIGHTINGS:,} sightings of {sightings.ASSETS:,} assets in one window")
    for name, each in found.items():
        print(f"  {name:26} {each['seconds']:8.1f} s {each['megabytes']:6.0f} MB")
    verdict("bringing them, seconds", found["brought"]["seconds"], at_most=60)
    verdict("bringing them, MB", found["brought"]["megabytes"], at_most=500)
    verdict("over HTTP, seconds", found["over HTTP"]["seconds"], at_most=60)
    verdict("over HTTP, MB", found["over HTTP"]["megabytes"], at_most=500)


def report_expectations(found: dict[str, float]) -> None:
    print(f"\n{expectations.OPEN:,} open expectations, then {expectations.DUE:,} due at once")
    for name, value in found.items():
        print(f"  {name:26} {value:8.1f}")
    verdict("claiming a batch, ms", found["a batch due, ms"], at_most=50)
    verdict("claiming of all, ms", found["all due, ms"], at_most=50)
    verdict("events in batches a second", found["events a second of CPU"], at_least=10_000)
    verdict("outage recorded, seconds", found["outage, seconds"], at_most=120)
    verdict("each once", found["each once"], at_least=1)


def report_route(environment: Mapping[str, str], rows: int = route.ROWS) -> None:
    print(f"\nRouting {rows:,} rows of a file, the peers with the pieces of the IPv4 space given")
    found = route.measure(environment, rows)
    rates = route.report(found)
    counting, writing, script = rates["pocdir --summary"], rates["pocdir --out"], rates["csv + pytricia"]
    verdict("counting / DuckDB", counting / rates["DuckDB counts"], at_least=1.3)
    verdict("counting / csv + pytricia", counting / script, at_least=25)
    verdict("numpy alone / csv + pytricia", rates["pocdir, numpy alone"] / script, at_least=8)
    verdict("parcels / DuckDB counting", writing / rates["DuckDB counts"], at_least=0.7)
    verdict("parcels / polars writing", writing / rates["polars writes"], at_least=1)
    verdict("peak MB", found["pocdir --out"]["megabytes"], at_most=1500)
    grown = route.memory_at(environment, 2 * rows) / found["pocdir --out"]["megabytes"]
    verdict("peak at twice the rows", grown, at_most=1.1)


def verdict(name: str, value: float, *, at_most: float | None = None, at_least: float | None = None) -> None:
    """One line: the figure, its target, and whether it holds."""
    held = (at_most is None or value <= at_most) and (at_least is None or value >= at_least)
    target = f"at most {at_most:g}" if at_most is not None else f"at least {at_least:g}"
    print(f"  {name:26} {value:8.2f}   {target:13} {'holds' if held else 'MISSED'}")


if __name__ == "__main__":
    main()
