"""The benchmarks themselves: what measures nothing any more is found here, not on the day it is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import directory_import, expectations, notify, sightings
from bench.__main__ import told_first
from pocdir import config
from pocdir.app import create_app
from pocdir.core import clock
from pocdir.db import db
from pocdir.site.actions.start import prepare

pytestmark = pytest.mark.long


def test_what_is_measured_runs_at_a_small_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sightings.measure(2_000, 200).keys() == {"brought", "outcome", "over HTTP"}
    assert expectations.measure(200, 100)["each once"] == 1
    assert directory_import.measure(200)
    monkeypatch.setattr(notify, "CALLS", 5)
    settings = config.load({"POCDIR_DATA": str(tmp_path), "POCDIR_LOG_LEVEL": "error"})
    app = create_app(settings)
    with app.app_context():
        list(prepare(settings, now=clock.now()))
        told = told_first()
        db.session.remove()
    rates = notify.measure(app, tmp_path / "pocdir.db", told)
    assert {"ledger append", "POST /notifications", "POST .../events"} <= rates.keys()
    assert all(rate > 0 for rate in rates.values())
    with app.app_context():
        db.engine.dispose()
