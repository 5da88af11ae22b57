"""How long the index takes to be made anew: of a directory of 5,000 teams, and of the whole registry."""

from __future__ import annotations

import time
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
from random import Random

from pocdir.core.loading import nothing_thrown_away
from pocdir.directory.rules.record import Channel, Directory, Responsibility, Team
from pocdir.routing.rules.index import Index
from pocdir.routing.rules.registry import layers_in
from pocdir.routing.rules.registry_index import compile_index

TEAMS = 5_000
PREFIXES = 10  # of a team, beside its AS number, its domain and its country


def measure(registry: Path) -> dict[str, float]:
    """CPU seconds of each; `registry` is the folder of a published index."""
    layers, directory = layers_in(registry), Directory("bench", tuple(teams(TEAMS)))
    ranges = sum(map(len, layers.ranges.values()))
    with nothing_thrown_away():
        return {
            f"{TEAMS} teams": seconds(lambda: Index.build(directory, None)),
            f"{ranges} ranges": seconds(lambda: compile_index(layers)),
        }


def seconds(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def teams(count: int) -> list[Team]:
    random = Random(1)
    return [_team(random, number) for number in range(count)]


def _team(random: Random, number: int) -> Team:
    domain = f"team{number}.example.org"
    rows = [Responsibility("prefix", _prefix(random), "holder", 1) for _ in range(PREFIXES)]
    rows += [
        Responsibility("asn", str(number + 1), "holder", 1),
        Responsibility("domain", domain, "holder", 1),
        Responsibility("country", random.choice(("AT", "DE", "US")), "national", 1),
    ]
    return Team(
        f"team-{number}",
        f"Team {number}",
        None,
        "provider",
        "AT",
        website=f"https://{domain}",
        channels=(Channel("email", f"soc@{domain}", "incident", 1),),
        responsibilities=tuple(rows),
    )


def _prefix(random: Random) -> str:
    length = random.choice((16, 20, 22, 24, 24, 28))
    return f"{IPv4Address(random.randrange(1 << length) << (32 - length))}/{length}"
