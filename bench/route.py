"""A large file routed to contacts, beside other ways to do the same; all in one run, each in a process of its own.

    python -m bench.route [ROWS]

The peers get the decisions for nothing, as a table of ranges. DuckDB counts rows by result over an ASOF join;
polars writes rows by result, each partition a file; both leave IPv6 alone. csv + pytricia is the script that one
writes first: csv.DictReader and a trie for each family; it counts by result and tells rubbish apart.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

ROWS = 10_000_000
RUBBISH = ("not-an-ip", "999.1.2.3", "1.2.3", "", "-", "unknown", "0x7f000001", "1.2.3.4.5")
WAYS = (
    "pocdir --summary",
    "pocdir, numpy alone",
    "pocdir --out",
    "DuckDB counts",
    "polars writes",
    "csv + pytricia",
)


def make(path: Path, rows: int, seed: int = 7) -> None:
    """Rows of 7 columns, about 63 bytes: public IPv4, 3 % IPv6, 1 % rubbish, in no order."""
    numbers, random = np.random.default_rng(seed), Random(seed)
    with path.open("w", newline="", encoding="ascii") as file:
        file.write("timestamp,ip,port,protocol,asn,geo,tag\n")
        for begin in range(0, rows, 100_000):
            size = min(100_000, rows - begin)
            four = numbers.integers(1 << 24, 224 << 24, size, dtype=np.uint32).tolist()
            six = numbers.integers(0, 1 << 32, (size, 4), dtype=np.uint32).tolist()
            kinds, ports = numbers.random(size).tolist(), numbers.integers(1, 1 << 16, size).tolist()
            for row, (kind, port) in enumerate(zip(kinds, ports, strict=True)):
                if kind < 0.03:
                    words = struct.pack(">4I", 0x20010000 | six[row][0] >> 12, *six[row][1:])
                    address = socket.inet_ntop(socket.AF_INET6, words)
                elif kind < 0.038:
                    address = random.choice(RUBBISH)
                elif kind < 0.04:
                    address = f"{port % 256}.{port % 999}.{row}"
                else:
                    address = socket.inet_ntoa(struct.pack(">I", four[row]))
                when = f"2026-06-{1 + row % 28:02} 12:{row % 60:02}:00"
                file.write(f"{when},{address},{port},tcp,{port * 3},DE,sinkhole\n")


def measure(environment: Mapping[str, str], rows: int = ROWS) -> dict[str, dict[str, float]]:
    """Wall-clock seconds, CPU seconds and peak MB of each way, and the rows it took; the best of two rounds.

    `environment` names a seeded database.
    """
    with tempfile.TemporaryDirectory(prefix="pocdir-bench-route-", dir=_memory()) as name:
        folder = Path(name)
        make(folder / "hits.csv", rows)
        _run(environment, "pieces", folder)
        found: dict[str, dict[str, float]] = {}
        for _ in range(2):
            for way in WAYS:
                told = json.loads(_run(environment, way, folder))
                found[way] = min(found.get(way, told), told, key=lambda each: each["seconds"])
                shutil.rmtree(folder / "out", ignore_errors=True)
        return found


def memory_at(environment: Mapping[str, str], rows: int) -> float:
    """Peak MB of routing that many rows into parcels."""
    with tempfile.TemporaryDirectory(prefix="pocdir-bench-route-", dir=_memory()) as name:
        make(Path(name) / "hits.csv", rows)
        return float(json.loads(_run(environment, "pocdir --out", Path(name)))["megabytes"])


def _memory() -> str | None:
    """A disk in memory where there is one: what is measured is the work, not the disk."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _run(environment: Mapping[str, str], way: str, folder: Path) -> str:
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(
        [sys.executable, "-m", "bench.route", way, str(folder)],
        env={**os.environ, **environment}, cwd=root, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return done.stdout


def _pocdir(folder: Path, *options: str) -> int:
    from pocdir import cli

    code = cli.run(["route", str(folder / "hits.csv"), *options])
    if code:
        raise RuntimeError(f"pocdir route: exit {code}")
    return 0


def _pieces(folder: Path) -> int:
    """What the peers get: where each piece of either space begins, and its result; and the command warmed up."""
    from pocdir import cli
    from pocdir.core import clock
    from pocdir.routing.queries import index, question
    from pocdir.routing.rules.decisions import decisions
    from pocdir.web.terminal import database_context

    with database_context():
        known = index()
        made = decisions(known, question(known, on=clock.now().date()))
    np.savez(
        folder / "pieces.npz",
        starts=made.v4.starts.astype(np.int64),
        results=made.v4.results.astype(np.int64),
        starts6=made.v6.starts,
        results6=made.v6.results,
    )
    (folder / "few.csv").write_text("ip\n192.0.2.1\n")
    return cli.run(["route", str(folder / "few.csv"), "--summary"])


def _duckdb(folder: Path) -> int:
    import duckdb

    pieces = np.load(folder / "pieces.npz")
    connection = duckdb.connect(config={"threads": os.cpu_count() or 1})
    connection.execute(
        "create table pieces as select unnest(?::bigint[]) as first, unnest(?::bigint[]) as result",
        [pieces["starts"].tolist(), pieces["results"].tolist()],
    )
    octets = "+".join(f"try_cast(o[{place + 1}] as bigint)*{256 ** (3 - place)}" for place in range(4))
    began = _now()
    counts = connection.execute(
        f"""select result, count(*) from (
              select case when len(o) = 4 then {octets} end as address from (
                select string_split(ip, '.') as o
                from read_csv('{folder / "hits.csv"}', header = true, all_varchar = true)))
            asof left join pieces on address >= first group by result"""
    ).fetchall()
    return _told(began, sum(count for _, count in counts))


def _polars(folder: Path) -> int:
    import polars as pl

    pieces = np.load(folder / "pieces.npz")
    began = _now()
    octets = pl.col("ip").str.split_exact(".", 3).struct
    address = sum(octets.field(f"field_{n}").cast(pl.Int64, strict=False) * 256 ** (3 - n) for n in range(4))
    rows = pl.read_csv(folder / "hits.csv", infer_schema=False).with_columns(
        address.fill_null(0).alias("first")
    )
    pieces_of = pl.DataFrame({"first": pieces["starts"], "result": pieces["results"]}).set_sorted("first")
    found = rows.sort("first").join_asof(pieces_of, on="first").drop("first")
    (folder / "out").mkdir()
    for (result,), part in found.partition_by("result", as_dict=True, include_key=False).items():
        part.write_csv(folder / "out" / f"{result}.csv")
    return _told(began, len(found))


def _pytricia(folder: Path) -> int:
    import csv

    four, six = _tries(folder)
    counts: Counter[int | None] = Counter()
    began = _now()
    with (folder / "hits.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            address = row["ip"]
            try:
                result = (six if ":" in address else four)[address]
            except ValueError:
                result = None  # no address
            counts[result] += 1
    return _told(began, counts.total())


def _tries(folder: Path) -> tuple[Any, Any]:
    """The pieces of IPv4 and of IPv6 as prefixes, each in a trie of its own: one for both finds wrong ones."""
    from ipaddress import IPv4Address, IPv6Address, summarize_address_range

    import pytricia

    pieces = np.load(folder / "pieces.npz")
    high, low = pieces["starts6"].tolist()
    starts6 = [first << 64 | rest for first, rest in zip(high, low, strict=True)]
    found = []
    for bits, kind, family, starts, results in (
        (32, IPv4Address, socket.AF_INET, pieces["starts"].tolist(), pieces["results"].tolist()),
        (128, IPv6Address, socket.AF_INET6, starts6, pieces["results6"].tolist()),
    ):
        trie = pytricia.PyTricia(bits, family)
        for first, after, result in zip(starts, [*starts[1:], 1 << bits], results, strict=True):
            for network in summarize_address_range(kind(first), kind(after - 1)):
                trie[str(network)] = result
        found.append(trie)
    return found[0], found[1]


def _now() -> tuple[float, float]:
    used = os.times()
    return time.perf_counter(), used.user + used.system + used.children_user + used.children_system


def _told(began: tuple[float, float], rows: int) -> int:
    seconds, cpu = (now - then for now, then in zip(_now(), began, strict=True))
    print(json.dumps({"rows": rows, "seconds": seconds, "cpu": cpu, "megabytes": _peak()}))
    return 0


def _peak() -> float:
    """Peak MB of this program and of those it started, each counted with what they share: never too low."""
    status = Path("/proc/self/status")  # getrusage would count the one that started this one too
    own = int(status.read_text().partition("VmHWM:")[2].split()[0]) if status.exists() else _most("SELF")
    started = _most("CHILDREN") * (os.cpu_count() or 1)
    return (own + started) / 1024


def _most(who: str) -> int:
    return resource.getrusage(getattr(resource, f"RUSAGE_{who}")).ru_maxrss


def _timed(folder: Path, *options: str, extra: bool = True) -> int:
    """The whole command but the start of Python and its imports, which no peer's figure has either."""
    import contextlib
    import importlib
    import io

    importlib.import_module("pocdir.site.commands.route")  # loads everything that the command needs
    if extra:
        importlib.import_module("pocdir.routing.bulk.compiled")
    else:
        sys.modules["numba"] = None  # type: ignore[assignment]  # as if it were not installed

    began, text = _now(), io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(io.StringIO()):
        _pocdir(folder, *options, "--json")
    return _told(began, json.loads(text.getvalue())["rows"])


TASKS: dict[str, Callable[[Path], int]] = {
    "pieces": _pieces,
    "pocdir --summary": lambda folder: _timed(folder, "--summary"),
    "pocdir, numpy alone": lambda folder: _timed(folder, "--summary", extra=False),
    "pocdir --out": lambda folder: _timed(folder, "--out", str(folder / "out")),
    "DuckDB counts": _duckdb,
    "polars writes": _polars,
    "csv + pytricia": _pytricia,
}


def report(found: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Rows a second of each way."""
    for way, each in found.items():
        print(
            f"  {way:26} {each['rows'] / each['seconds'] / 1e6:8.2f} M rows a second"
            f" {each['rows'] / each['cpu'] / 1e6:6.2f} M a CPU second {each['megabytes']:6.0f} MB"
        )
    return {way: each["rows"] / each["seconds"] for way, each in found.items()}


def main(arguments: list[str]) -> None:
    from bench.__main__ import report_route
    from pocdir import cli

    with tempfile.TemporaryDirectory(prefix="pocdir-bench-") as name:
        os.environ |= {"POCDIR_DATA": name, "POCDIR_LOG_LEVEL": "error"}
        cli.run(["seed"])
        report_route({}, int(arguments[0]) if arguments else ROWS)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        sys.exit(TASKS[sys.argv[1]](Path(sys.argv[2])))
    main(sys.argv[1:])
