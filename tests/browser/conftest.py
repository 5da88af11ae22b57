"""A real Chromium against a real server: seeded, with a researcher who has signed in."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import waitress
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from pocdir.app import create_app
from pocdir.config import Settings, folder
from pocdir.core import clock
from pocdir.db import db, transaction
from pocdir.directory.actions.seeds import load_seeds
from pocdir.directory.queries.entries import team_by_slug
from pocdir.routing.actions import load_seed_registry
from pocdir.site.actions.database import upgrade
from tests.accounts import made as people
from tests.directory import made as listed
from tests.mail.replies import came_in
from tests.outreach import made

# The headless shell draws the same pages with a quarter less work than the whole browser.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Service:
    """A running service: where it is, and who may sign in."""

    url: str
    app: Flask
    email: str = "anna@example.org"
    password: str = people.PASSWORD


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium-headless-shell)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def serving(data: Path, url: str) -> Iterator[Service]:
    """Migrate, seed, add the tests' own teams and a researcher; serve until the generator ends."""
    settings = Settings(data=data, database_url=url, secret_key="k" * 43, base_url="http://127.0.0.1:1")
    app = create_app(settings)
    now = clock.now()
    with app.app_context():
        upgrade(db.engine)
        load_seed_registry(folder("seeds") / "registry", data / "registry", now=now)
        with transaction() as session:
            load_seeds(session, folder=folder("seeds"), now=now)
        made.teams(now)
        borrowed = listed.team_json(
            "borrowed", name="C\u0415RT Example", channels=[]
        )  # waits in the quarantine
        listed.imported(listed.file(borrowed), now=now)
        came_in(b"From: desk@cert.example\r\nSubject: Re: confirm\r\n\r\nThe phone is another one.\r\n", now)
        people.person(now=now, workspace="lab", role="owner")
        people.person("steward@example.org", now=now, site_role="steward")
        people.person("desk@example.org", now=now, team_id=team_by_slug("cert-at").id)
        db.session.remove()
    server = waitress.create_server(app, host="127.0.0.1", port=0, threads=4)
    port = server.effective_port
    object.__setattr__(settings, "base_url", f"http://127.0.0.1:{port}")
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield Service(f"http://127.0.0.1:{port}", app)
    server.close()
    thread.join(timeout=10)
    with app.app_context():
        db.engine.dispose()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """On SQLite."""
    data = tmp_path_factory.mktemp("service")
    yield from serving(data, f"sqlite:///{data / 'pocdir.db'}")


@pytest.fixture
def context(chromium: Browser, service: Service) -> Iterator[BrowserContext]:
    """A browser of its own: no cookies."""
    context = chromium.new_context(base_url=service.url, locale="en-GB")
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture
def signed_in(page: Page, service: Service) -> Page:
    """The researcher's page."""
    sign_in(page, service.email, service.password)
    return page


def sign_in(page: Page, email: str, password: str) -> None:
    """As a person does."""
    page.goto("/login")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/login" not in url)


def picture(page: Page, name: str) -> None:
    """Keep a picture for the documentation, where POCDIR_TEST_PICTURES names a folder."""
    if wanted := os.environ.get("POCDIR_TEST_PICTURES"):
        Path(wanted).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(wanted) / f"{name}.png", full_page=True)


def days_ago(days: int) -> str:
    """For a datetime-local box."""
    return f"{dt.datetime.now(dt.UTC) - dt.timedelta(days=days):%Y-%m-%dT%H:%M}"
