"""What the log keeps."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy.exc import IntegrityError

from pocdir.accounts.models import User
from pocdir.core.refs import new_ref
from pocdir.db import db, writing
from pocdir.mail.rules.references import without_secrets
from pocdir.web import logs
from pocdir.web.secret_links import SECRET_LINKS


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def logged(capsys: pytest.CaptureFixture[str], message: str) -> str:
    logs.init("info")
    try:
        raise ValueError(message)
    except ValueError:
        logging.getLogger("a room").exception("unforeseen")
    return str(json.loads(capsys.readouterr().err)["exception"])


def test_a_trace_says_what_happened(capsys: pytest.CaptureFixture[str]) -> None:
    assert logged(capsys, "no such thing").endswith("ValueError: no such thing")


def test_a_long_trace_keeps_its_beginning_and_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    trace = logged(capsys, "x" * 100_000 + " and the end")
    assert len(trace) <= 8_000
    assert trace.startswith("Traceback")
    assert trace.endswith("xx and the end")


def test_half_a_secret_is_not_kept_either(capsys: pytest.CaptureFixture[str]) -> None:
    trace = logged(capsys, "x" * 50_000 + "/r/" + "s3cret" * 1_000)
    assert "s3cret" not in trace


def test_the_secret_of_every_link_is_blanked(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    links = {rule.rule for rule in app.url_map.iter_rules() if "<token>" in rule.rule}
    assert {link.partition("<")[0] for link in links} == set(SECRET_LINKS)
    for link in links:
        assert "s3cret" not in logged(capsys, link.replace("<token>", "s3cret"))
        token = "s3cret" * 8  # of a returned letter nothing is kept of it either
        assert token not in without_secrets(f"https://pocdir.example{link.replace('<token>', token)}")


def test_what_the_database_quotes_of_a_row_is_not_kept(
    app: Flask, capsys: pytest.CaptureFixture[str], now: dt.datetime
) -> None:
    row = {"ref": new_ref(now), "email": "anna@\n\nexample.org", "active": True, "create_datetime": now}
    rows = [row | {"fs_uniquifier": each, "fs_webauthn_user_handle": each} for each in "ab"]
    with pytest.raises(IntegrityError) as refused, writing(db.engine) as connection:
        for each in rows:
            connection.execute(db.insert(User).values(each | {"ref": new_ref(now)}))
    logs.init("info")
    logging.getLogger("a room").error("unforeseen", exc_info=refused.value)
    kept = str(json.loads(capsys.readouterr().err)["exception"])
    assert "users" in kept
    assert "[SQL: " in kept
    assert "example.org" not in kept


def test_what_a_rule_of_the_database_quotes_is_cut_at_the_end_too(capsys: pytest.CaptureFixture[str]) -> None:
    trace = logged(capsys, 'violates "ck"\nDETAIL:  Failing row contains (anna,\nben).\nCONTEXT:  COPY anna')
    assert trace.endswith('violates "ck"')
