"""Data is kept as long as its purpose: what goes, what stays, and that the record still verifies."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator

import pytest
import time_machine
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import select

from pocdir.cli import pocdir
from pocdir.db import Base, db, transaction
from pocdir.ledger.models import LedgerEvent
from pocdir.mail.actions import enqueue, mark_sent_by_hand
from pocdir.site import jobs
from pocdir.site.queries.ledger import verified
from tests.conftest import Api
from tests.mail.replies import came_in
from tests.outreach.made import teams
from tests.outreach.test_parcels import archive, attached

ASSET, SENT, OPEN = "203.0.113.77", "203.0.113.78", "203.0.113.79"
CASE = ("the hospital of Example", "its devices call in", "TICKET-OF-CASE-4711")
WORDS = ("a subject of its own", "the text as it was sent", "a note for ourselves")
ROWS = "203.0.113.80"
PARCEL = {"isp.csv": f"ip,note\r\n{ROWS},a row\r\n".encode()}
LETTER = ("a letter of ours", "its own text")
MAIL = ("eva@home.example", "what Eva asks", "the words of Eva")
CASES = {
    "closed": dict(zip(("title", "description", "source_ref"), CASE, strict=True)),
    "open": {"title": "stays open", "source_ref": "stays too"},
}
DAY = dt.timedelta(days=1)


@pytest.fixture
def record(app: Flask, api: Api, now: dt.datetime) -> Iterator[dict[str, str]]:
    """One incident closed on the first day, one open; each was told and answered."""
    with time_machine.travel(now, tick=False):
        teams(now)
        refs = {}
        for title, asset in (("closed", ASSET), ("open", OPEN)):
            ref = refs[title] = api.post("/api/v1/incidents", CASES[title]).get_json()["ref"]
            api.post(f"/api/v1/incidents/{ref}/assets", {"items": [{"kind": "ip", "value": asset}]})
        seen = {"method": "scan", "window_from": "2026-11-21T12:00:00Z", "window_to": "2026-11-22T12:00:00Z"}
        seen |= {"items": [{"value": ASSET, "seen_at": "2026-11-22T00:00:00Z"}]}
        assert api.post(f"/api/v1/incidents/{refs['closed']}/sightings", seen).status_code == 201
        body = {"team": "isp", "subject": WORDS[0], "body": WORDS[1], "assets": [SENT]}
        told = api.post("/api/v1/notifications", body | {"incident": refs["closed"]}).get_json()["ref"]
        said = {"type": "ack.given", "payload": {"ticket": "INC-7", "note": WORDS[2]}}
        assert api.post(f"/api/v1/notifications/{told}/events", said).status_code == 201
        assert attached(api, refs["closed"], archive(PARCEL)).status_code == 201
        about = {"kind": "notice", "to": "cert@cert.example", "key": "1", "domain": "x.example", "now": now}
        with transaction() as session:
            letter = enqueue(session, subject=LETTER[0], body=LETTER[1], **about).ref
            mark_sent_by_hand(session, ref=letter, now=now, actor="user:a")
        mail = came_in(f"From: {MAIL[0]}\nSubject: {MAIL[1]}\n\n{MAIL[2]}\n".encode(), now).ref
        etag = api.get(f"/api/v1/incidents/{refs['closed']}").headers["ETag"]
        closed = api.patch(f"/api/v1/incidents/{refs['closed']}", {"closed": True}, **{"If-Match": etag})
        assert closed.status_code == 200
    app.extensions.pop("pocdir.retention", None)
    yield refs | {"notification": told, "letter": letter, "mail": mail}
    app.extensions.pop("pocdir.retention", None)


def held(app: Flask) -> str:
    """Everything that stands in the database, and on SQLite every byte of its files."""
    with db.engine.connect() as connection:
        tables = Base.metadata.sorted_tables
        text = "".join(str(connection.execute(select(table)).all()) for table in tables)
    if path := app.extensions["pocdir"].sqlite_path:
        db.session.remove()
        db.engine.dispose()
        text += "".join(file.read_bytes().decode("latin-1") for file in path.parent.glob("pocdir.db*"))
    return text


def erased() -> list[tuple[str, int]]:
    found = select(LedgerEvent.payload).where(LedgerEvent.type == "data.erased").order_by(LedgerEvent.id)
    return [(payload["class"], payload["count"]) for payload in db.session.scalars(found)]


def figures(api: Api, at: dt.datetime) -> object:
    with time_machine.travel(at, tick=False):
        figures = api.get("/api/v1/latency").get_json()
    return {name: value for name, value in figures.items() if name != "as_known_at"}


def test_assets_go_90_days_after_the_incident_is_closed_and_words_after_a_year(
    app: Flask, api: Api, now: dt.datetime, record: dict[str, str]
) -> None:
    assert all(words in held(app) for words in (ROWS, *LETTER, *MAIL))
    assert jobs.keep_no_longer(now + 29 * DAY) == 0
    assert jobs.keep_no_longer(now + 89 * DAY) == 1  # of mail that anybody may have written
    assert not [words for words in MAIL if words in held(app)]
    before = figures(api, now + DAY)

    assert jobs.keep_no_longer(now + 91 * DAY) == 4
    text = held(app)
    assert ASSET not in text
    assert SENT not in text
    assert ROWS not in text
    assert OPEN in text
    assert all(words in text for words in (*CASE, *WORDS, *LETTER))
    assert erased() == [("mail", 1), ("assets", 4)]

    # Of the case three and their sealed ones; of the notification subject, text, digest and two sealed; a letter.
    assert jobs.keep_no_longer(now + 366 * DAY) == 12
    text = held(app)
    assert not [words for words in (*CASE, *WORDS, *LETTER) if words in text]
    assert all(kept in text for kept in ("INC-7", OPEN, "stays open", "stays too"))
    assert sorted(erased()) == [("assets", 4), ("letters", 1), ("mail", 1), ("messages", 5), ("messages", 6)]
    verdict = verified()
    assert (verdict.faults, verdict.erased) == ((), 5)
    assert figures(api, now + DAY) == before
    assert jobs.keep_no_longer(now + 368 * DAY) == 0
    with time_machine.travel(now + 364 * DAY, tick=False):
        shown = api.get(f"/api/v1/notifications/{record['notification']}").get_json()
        letter = api.get(f"/api/v1/notifications/{record['notification']}/letter")
    assert (shown["subject"], shown["body"], shown["assets"]) == (None, None, [])
    assert shown["state"]["response"] == "acknowledged"
    case = api.get(f"/api/v1/incidents/{record['closed']}").get_json()
    assert (case["title"], case["description"], case["source_ref"]) == (record["closed"], None, None)
    assert letter.status_code == 200


def test_a_dry_run_shows_what_would_go_and_erases_nothing(
    app: Flask, now: dt.datetime, record: dict[str, str]
) -> None:
    with time_machine.travel(now + 400 * DAY, tick=False):
        shown = CliRunner().invoke(pocdir, ["retention", "--dry-run", "--json"])
        lines = [json.loads(line) for line in shown.stdout.splitlines()]
        assert {(line["class"], line["ref"], line["count"]) for line in lines} == {
            ("assets", record["closed"], 4),
            ("messages", record["closed"], 6),
            ("messages", record["notification"], 3),
            ("messages", record["notification"], 2),
            ("letters", record["letter"], 1),
            ("mail", record["mail"], 1),
        }
        assert erased() == []
        assert all(words in held(app) for words in (*WORDS, *LETTER, *MAIL))
        done = CliRunner().invoke(pocdir, ["retention"])
        assert "4 of assets, 11 of messages, 1 of letters, 1 of mail were erased" in done.stderr
        assert not [words for words in (*WORDS, *LETTER, *MAIL) if words in held(app)]
