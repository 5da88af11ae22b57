"""What the tests of pages that stand over several features may ask for."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import pytest
from flask import Flask

from tests.site import lookups


@pytest.fixture
def cases(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: dt.datetime) -> Path:
    """The directory and registry of the routing cases; returns the folder of the registry's files."""
    settings = dataclasses.replace(app.extensions["pocdir"], data=tmp_path)
    monkeypatch.setitem(app.extensions, "pocdir", settings)
    lookups.registry_of_cases(tmp_path, now)
    lookups.directory_of_cases(now)
    return tmp_path
