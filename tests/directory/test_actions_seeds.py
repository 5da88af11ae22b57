"""The shipped facts: loaded once, each under its own source."""

from __future__ import annotations

import pytest

from pocdir import config
from pocdir.core.codes import ALL_CODES
from pocdir.core.errors import Invalid
from pocdir.db import transaction
from pocdir.directory.actions import edits, seeds
from pocdir.directory.queries import entries, listings, sources, versions
from pocdir.ledger import queries as ledger
from tests.directory import made


def load():
    with transaction() as session:
        return seeds.load_seeds(session, folder=config.folder("seeds"), now=made.NOW)


def test_the_seeds_load_once(app):
    loaded = load()
    assert loaded["teams"] == len(versions.snapshot().teams) > 300
    version, events = versions.directory_version(), ledger.event_count()
    assert load() == {**loaded, "changed": 0}
    assert (versions.directory_version(), ledger.event_count()) == (version, events)


def test_every_seeded_value_has_a_source_with_its_date_and_confidence(app):
    load()
    for team in versions.snapshot().teams:
        for row in (*team.channels, *team.responsibilities):
            assert row.source
            assert row.confidence in ("high", "medium", "low")
        assert all(fact["source"] for fact in sources.facts_of(team.slug))


def test_every_code_has_its_row(app):
    load()
    assert {row["code"] for row in listings.coverage()} >= set(ALL_CODES)
    assert {row["status"] for row in listings.coverage()} == {"contact", "known_no_address", "none_known"}


def test_seeding_leaves_what_a_steward_said(app):
    load()
    slug = versions.snapshot().teams[0].slug
    with transaction() as session:
        edits.edit_team(
            session, slug=slug, facts={"name": "Ours"}, channels=(), now=made.NOW, actor="operator"
        )
    load()
    assert entries.entry(slug).team.name == "Ours"
    assert entries.entry(slug).channels == []


def test_missing_seeds_are_told(app, tmp_path):
    with pytest.raises(Invalid) as refusal, transaction() as session:
        seeds.load_seeds(session, folder=tmp_path, now=made.NOW)
    assert refusal.value.code == "installation_broken"
