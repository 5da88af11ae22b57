"""What every test may ask for: an application on each database, a fixed moment, the shared material."""

from __future__ import annotations

import contextvars
import datetime as dt
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings
from sqlalchemy import text
from werkzeug.test import TestResponse

from pocdir.accounts.actions import create_token, create_workspace
from pocdir.accounts.models import Workspace
from pocdir.app import create_app
from pocdir.config import Settings
from pocdir.db import Base, db, transaction, writing
from pocdir.site.actions.database import upgrade
from tests import postgres
from tests.site import service

# How fast a busy machine is says nothing about a property. The long run looks for more examples.
settings.register_profile("long", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ordinary", settings.get_profile("long"), max_examples=50)


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("ordinary" if config.getoption("markexpr") == "not long" else "long")


pytest_plugins = ("tests.no_skips",)

# What the caller's shell sets for a service is not for tests.
for name in [
    name for name in os.environ if name.startswith("POCDIR_") and not name.startswith("POCDIR_TEST_")
]:
    del os.environ[name]

# What a test writes is thrown away: to memory where there is room for it, as a disk makes the run half as long again.
MEMORY, ROOM = Path("/dev/shm"), 4 << 30
if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)

ROOT = Path(__file__).resolve().parent.parent
NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)
DATABASES = ("sqlite", "postgresql")


@pytest.fixture
def now() -> dt.datetime:
    """The moment at which the tests play."""
    return NOW


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real material beside the checkout (or POCDIR_TEST_DATA)."""
    folder = Path(os.environ.get("POCDIR_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the shared data is not at {folder}; set POCDIR_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    with postgres.server() as url:
        yield url


@pytest.fixture(scope="session")
def postgresql_database(postgresql_url: str) -> Iterator[str]:
    """A second, empty database of the same server."""
    with postgres.database(postgresql_url, "pocdir_service") as url:
        yield url


def settings_for(folder: Path, url: str) -> Settings:
    return Settings(data=folder, database_url=url, secret_key="k" * 43, base_url="http://localhost:8000")


@pytest.fixture(scope="session")
def sqlite_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    folder = tmp_path_factory.mktemp("sqlite")
    app = create_app(settings_for(folder, f"sqlite:///{folder / 'pocdir.db'}"))
    with app.app_context():
        upgrade(db.engine)
        db.session.remove()
        db.engine.dispose()
    shutil.copy(folder / "pocdir.db", folder / "empty.db")
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture(scope="session")
def postgresql_app(tmp_path_factory: pytest.TempPathFactory, postgresql_url: str) -> Iterator[Flask]:
    app = create_app(settings_for(tmp_path_factory.mktemp("postgresql"), postgresql_url))
    with app.app_context():
        upgrade(db.engine)
    yield app
    with app.app_context():
        db.engine.dispose()


class SeparateClient(FlaskClient):
    """Every request in an application context of its own, as a server gives it: not in the test's."""

    def open(self, *arguments: Any, **more: Any) -> TestResponse:
        return contextvars.Context().run(super().open, *arguments, **more)


@pytest.fixture(params=DATABASES)
def app(request: pytest.FixtureRequest) -> Iterator[Flask]:
    """The application with an empty database; every test that asks for it runs on both."""
    app: Flask = request.getfixturevalue(f"{request.param}_app")
    app.testing = True
    app.test_client_class = SeparateClient
    with app.app_context():
        (empty_sqlite if request.param == "sqlite" else empty_postgresql)(app)
        for forget in ("pocdir.index", "pocdir.token_uses", "pocdir.published"):
            app.extensions.pop(forget, None)
        yield app
        db.session.remove()
        for thread in threading.enumerate():
            if thread.name == "routing":  # it waits for a process that has this test's database open
                thread.join()


def empty_sqlite(app: Flask) -> None:
    folder = app.extensions["pocdir"].data
    db.engine.dispose()
    for leftover in ("pocdir.db-wal", "pocdir.db-shm"):
        (folder / leftover).unlink(missing_ok=True)
    shutil.copy(folder / "empty.db", folder / "pocdir.db")


def empty_postgresql(app: Flask) -> None:
    """Only what the test before has filled: to truncate all tables takes ten times as long."""
    names = [table.name for table in Base.metadata.sorted_tables]
    filled = " UNION ALL ".join(f"(SELECT '{name}' WHERE EXISTS (SELECT FROM \"{name}\"))" for name in names)
    restarted = "SELECT setval(quote_ident(sequencename)::regclass, 1, false) FROM pg_sequences"
    with writing(db.engine) as connection:
        # The triggers that guard the ledger stand down for the tests' own broom only.
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for name in connection.scalars(text(filled)).all():
            connection.execute(text(f'DELETE FROM "{name}"'))
        connection.execute(text(f"{restarted} WHERE last_value IS NOT NULL"))


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def lab(app: Flask, now: dt.datetime) -> Workspace:
    """A researcher's workspace."""
    with transaction() as session:
        return create_workspace(session, name="lab", now=now, actor="operator")


@pytest.fixture
def token(app: Flask, lab: Workspace, now: dt.datetime) -> str:
    """An API token that stands for the owner of the lab."""
    with transaction() as session:
        return create_token(session, workspace_id=lab.id, now=now, actor="operator")[1]


@pytest.fixture
def api(app: Flask, token: str) -> Api:
    """The API as the lab's programs use it."""
    return Api(app, token)


class Api:
    """A client that sends its token with every request."""

    def __init__(self, app: Flask, token: str | None) -> None:
        self.client = app.test_client()
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str, **query: object) -> TestResponse:
        return self.client.get(path, query_string=query, headers=self.headers)

    def post(self, path: str, json: object = None, **headers: str) -> TestResponse:
        return self.client.post(path, json=json, headers=self.headers | headers)

    def patch(self, path: str, json: object = None, **headers: str) -> TestResponse:
        return self.client.patch(path, json=json, headers=self.headers | headers)


@pytest.fixture(params=DATABASES)
def place(request: pytest.FixtureRequest, tmp_path: Path):
    """A database of its own, which a second process opens too: (application, environment)."""
    if request.param == "sqlite":
        yield from opened(tmp_path, None)
    else:
        server = request.getfixturevalue("postgresql_url")
        with postgres.database(server, "pocdir_post") as url:
            yield from opened(tmp_path, url)


def opened(folder: Path, url: str | None):
    app = create_app(settings_for(folder, url or f"sqlite:///{folder / 'pocdir.db'}"))
    with app.app_context():
        upgrade(db.engine)
        given = {"POCDIR_MAIL_FROM": "pocdir@pocdir.example", "POCDIR_SECRET_KEY": "k" * 43}
        yield app, service.environment(folder, url, **given)
        db.session.remove()
        db.engine.dispose()
