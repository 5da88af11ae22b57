"""Decisions are made once for a directory, a registry and a question, and never taken for those of another."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np

from pocdir.routing.bulk.kept import FOLDER, MOST, kept_decisions, name_of
from pocdir.routing.rules.index import Index
from tests.routing.bulk import NOW, World
from tests.routing.directories import Entry, directory, national, prefix, team

TEAMS = (team("isp", prefix("5.5.5.0/24"), prefix("2a00:1::/32")), team("cert-at", national("AT")))
ENTRIES = [Entry("7.7.7.0/24", registered="AT")]


def kept(world: World) -> list[Path]:
    return sorted((world.folder / FOLDER).iterdir())


def test_what_is_kept_is_what_was_made() -> None:
    world = World(directory(*TEAMS), ENTRIES)
    made = kept_decisions(world.index, world.asked, world.folder, now=NOW)
    again = kept_decisions(world.index, world.asked, world.folder, now=NOW)

    assert again.results == made.results
    for one, other in ((again.v4, made.v4), (again.v6, made.v6)):
        assert np.array_equal(one.starts, other.starts)
        assert np.array_equal(one.results, other.results)
    assert len(kept(world)) == 1


def test_another_directory_of_the_same_number_is_another() -> None:
    """As after a backup was read back: the numbers are given out a second time."""
    world = World(directory(*TEAMS), ENTRIES)
    other = Index.build(directory(*TEAMS, team("new", prefix("5.5.5.0/28"))), world.index.registry)

    assert name_of(other, world.asked) != name_of(world.index, world.asked)


def test_a_question_and_a_day_have_their_own() -> None:
    world = World(directory(*TEAMS), ENTRIES)
    tomorrow = world.asked.wish._replace(today="2026-11-23")
    without = world.asked.wish._replace(exclude_teams=frozenset({"isp"}))
    asked = [world.asked, world.asked._replace(wish=tomorrow), world.asked._replace(wish=without)]

    assert len({name_of(world.index, each) for each in asked}) == 3


def test_damaged_ones_are_made_anew() -> None:
    world = World(directory(*TEAMS), ENTRIES)
    made = kept_decisions(world.index, world.asked, world.folder, now=NOW)
    (kept(world)[0] / "v4_starts.npy").write_bytes(b"x")

    assert kept_decisions(world.index, world.asked, world.folder, now=NOW).results == made.results


def test_a_folder_that_takes_no_file_is_no_obstacle() -> None:
    world = World(directory(*TEAMS), ENTRIES)
    (world.folder / FOLDER).write_text("in the way")

    assert kept_decisions(world.index, world.asked, world.folder, now=NOW).results


def test_the_oldest_go() -> None:
    world = World(directory(*TEAMS), ENTRIES)
    for day in range(1, MOST + 4):
        wish = world.asked.wish._replace(today=dt.date(2026, 12, day).isoformat())
        kept_decisions(world.index, world.asked._replace(wish=wish), world.folder, now=NOW)

    assert len(kept(world)) == MOST
