"""The script of docs/the-case.md, run word for word, and what the incident's page shows afterwards."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from pocdir import config
from pocdir.accounts.models import User
from pocdir.app import create_app
from pocdir.core import clock
from pocdir.db import db
from pocdir.incidents.models import Incident
from pocdir.ledger.queries import events_of_incident, events_of_notifications
from pocdir.outreach.models import Notification
from tests.accounts.made import browser
from tests.conftest import DATABASES, ROOT
from tests.postgres import database
from tests.site.service import environment, pocdir

DOCUMENT = ROOT / "docs" / "the-case.md"
# The script's shell asks the test to start each command: forked, it takes a tenth of a new Python.
SHELL = """
pocdir() { printf '%s\\0' "$@" > ask; cat said; return "$(cat code)"; }
trap "printf 'end\\\\0' > ask" EXIT
"""


@pytest.fixture(params=DATABASES)
def environ(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Of a service that nothing is in yet, on each database."""
    if request.param == "sqlite":
        yield environment(tmp_path / "the-case")
    else:
        with database(request.getfixturevalue("postgresql_url"), "the_case") as url:
            yield environment(tmp_path / "the-case", url)


def replay(folder: Path, environ: dict[str, str]) -> str:
    """Everything that the script's commands print; a command that fails ends it."""
    script = SHELL + "\n".join(re.findall(r"^```sh\n(.*?)^```", DOCUMENT.read_text(), re.M | re.S))
    for name in ("ask", "said", "code"):
        os.mkfifo(folder / name)
    shell = subprocess.Popen(["bash", "-c", script], cwd=folder)
    printed = ""
    while (arguments := (folder / "ask").read_text().split("\0")[:-1]) != ["end"]:
        done = pocdir(*arguments, environ=environ, cwd=folder)
        printed += done.stdout + done.stderr
        (folder / "said").write_text(done.stdout)
        (folder / "code").write_text(str(done.returncode))
    assert shell.wait(timeout=60) == 0, printed
    return printed


# Day and time of March, and the words of the page.
HAPPENED = (
    ("02 08:00", "incident.created", "Incident opened"),
    ("02 09:00", "notification.logged", "Logged as sent"),
    ("02 09:00", "message.submitted", "P2: taken by their mail server"),
    ("04 05:00", "outcome.remediation_observed", "Devices no longer seen"),
    ("04 09:00", "expectation.lapsed", "No answer recorded here by this time"),
    ("04 11:00", "notification.logged", "Request for a sample"),
    ("04 11:00", "message.submitted", "P2: taken by their mail server"),
    ("05 11:00", "expectation.lapsed", "No answer recorded here by this time"),
    ("06 09:00", "escalation.step_due", "Next step suggested"),
    ("06 10:00", "notification.logged", "Follow-up"),
    ("06 10:00", "escalation.step_taken", "Next step taken"),
    ("07 10:00", "escalation.step_due", "Next step suggested"),
    ("07 12:00", "notification.logged", "Referral"),
    ("07 12:00", "escalation.step_taken", "Next step taken"),
    ("08 10:00", "expectation.lapsed", "No answer recorded here by this time"),
    ("09 12:00", "expectation.lapsed", "No answer recorded here by this time"),
    ("10 12:00", "escalation.exhausted", "No further step is known"),
)


def test_the_case_reads_on_its_page_as_it_happened(environ: dict[str, str], tmp_path: Path) -> None:
    printed = replay(tmp_path, environ)
    assert re.search(r"^assets\t24\t24\t0\t0$", printed, re.M)
    assert re.search(r"^controls\t20\t6\t14\t0$", printed, re.M)
    assert re.search(r"^no_answer\t2\t", printed, re.M)
    app = create_app(config.load(environ))
    with app.app_context():
        told = db.session.query(Notification).order_by(Notification.sent_at).all()
        events = [*chain(*events_of_notifications([each.ref for each in told]).values())]
        case = db.session.query(Incident).one().ref
        states = [(each.kind, each.sent_level, each.response, each.clock) for each in told]
        page = browser(app, db.session.query(User).one(), now=clock.now()).get(f"/incidents/{case}").text
        events += events_of_incident(case)
        db.session.remove()
        db.engine.dispose()
    assert states == [
        ("report", "P2", "awaiting", "exhausted"),
        ("sample_request", "P2", "awaiting", "lapsed"),
        ("follow_up", "P0", "awaiting", "lapsed"),
        ("referral", "P0", "awaiting", "lapsed"),
    ]
    types = {type_ for _, type_, _ in HAPPENED}
    happened = sorted((f"{it.occurred_at:%d %H:%M}", it.type) for it in events if it.type in types)
    assert happened == sorted((at, type_) for at, type_, _ in HAPPENED)
    place = page.index('class="timeline')
    for _, type_, words in HAPPENED:
        assert (place := page.find(words, place)) > 0, (type_, words)
