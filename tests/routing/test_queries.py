"""The index in memory: made anew when directory or registry change, never from what is not committed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from pocdir import cli
from pocdir.core.errors import Unavailable
from pocdir.db import transaction
from pocdir.directory.actions.imports import import_records
from pocdir.directory.formats.pocdir_json import parse
from pocdir.routing.queries import index, refresh
from tests.outreach import made

COUNTRIES = "38.87.230.0,38.87.231.255,DE\n"


@pytest.fixture(autouse=True)
def folder(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the registry of this test is."""
    settings = app.extensions["pocdir"]
    monkeypatch.setitem(app.extensions, "pocdir", type(settings)(**{**vars(settings), "data": tmp_path}))
    return tmp_path / "registry"


def located(folder: Path, country: str) -> None:
    file = folder.parent / "located.csv"
    file.write_text(COUNTRIES.replace("DE", country))
    assert cli.run(["registry", "import", "ip-location-country", str(file), "--as", "located"]) == 0


def country_of(number: int = 0x2657E611) -> Any:
    registry = index().registry
    entry = registry.at(4, number) if registry else None
    return entry.located if entry else None


def test_the_index_is_the_same_until_something_changes(app: Flask, now: dt.datetime) -> None:
    before = index()
    refresh(app)
    assert index() is before
    made.teams(now)
    assert index() is not before
    assert "isp" in index().indexed
    assert before.indexed == {}


def test_what_is_not_committed_is_in_no_index(app: Flask, now: dt.datetime) -> None:
    index()
    records = parse(
        b'{"source": {"name": "test", "date": "2026-06-17"}, "origin": "imported",'
        b' "teams": [{"name": "Newcomer", "kind": "other", "country": "AT"}]}'
    )
    assert records.source is not None
    with transaction() as session:
        import_records(
            session, records=records.teams, source=records.source, origin="imported", now=now, actor="operator"
        )  # fmt: skip
        refresh(app)
        assert index().indexed == {}
    assert list(index().indexed) == ["newcomer"]


def test_a_new_registry_is_taken_and_a_damaged_one_is_not(app: Flask, folder: Path) -> None:
    located(folder, "DE")
    assert country_of() == "DE"
    located(folder, "FR")
    refresh(app)
    assert country_of() == "FR"
    damage(folder)
    (folder / "current").write_text("elsewhere")
    refresh(app)
    assert country_of() == "FR", "lookups go on from what is in memory"
    app.extensions.pop("pocdir.index")
    with pytest.raises(Unavailable):
        index()


def damage(folder: Path) -> None:
    for file in folder.rglob("*.json"):
        file.write_text("{")
