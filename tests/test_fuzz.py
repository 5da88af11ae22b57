"""The API against its own description: whatever is sent, no fault of ours and nothing off its schema."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import checks
from schemathesis.generation import GenerationMode

from pocdir.accounts.actions import create_token, create_workspace
from pocdir.accounts.queries import team_id_of
from pocdir.db import db, transaction
from tests.conftest import empty_sqlite
from tests.latency.made import told
from tests.outreach import made

CHECKS = [
    checks.not_a_server_error,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.status_code_conformance,
]
schemathesis.serializer.alias("application/zip", "application/octet-stream")
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


Fuzzed = tuple[Flask, dict[str, dict[str, str]]]


@pytest.fixture
def fuzzed(sqlite_app: Flask, now: dt.datetime, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fuzzed]:
    """The application with three teams, one of them told, the headers of an owner and of that team's contact, and no
    limit on how often it is asked.
    """
    monkeypatch.setitem(sqlite_app.config, "RATELIMIT_ENABLED", False)
    with sqlite_app.app_context():
        empty_sqlite(sqlite_app)
        sqlite_app.extensions.pop("pocdir.index", None)
        made.teams(now)
        with transaction() as session:
            lab = create_workspace(session, name="lab", now=now, actor="operator")
            team = team_id_of(session, "isp")
            whose = {"owner": (lab.id, None), "contact": (None, team)}
            tokens = {
                name: create_token(session, workspace_id=workspace, team_id=of, now=now, actor="operator")[1]
                for name, (workspace, of) in whose.items()
            }
        told(lab, at=now, team="isp")
        db.session.remove()
    yield sqlite_app, {name: {"Authorization": f"Bearer {token}"} for name, token in tokens.items()}


def fuzz(app: Flask, headers: dict[str, str], cases: int) -> int:
    """Send about so many cases, spread over all operations and both right and wrong input; how many were sent."""
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    operations = [result.ok() for result in schema.get_all_operations()]
    sent = 0
    for operation in operations:
        strategies = st.one_of([operation.as_strategy(generation_mode=mode) for mode in MODES])

        @settings(
            max_examples=max(1, cases // len(operations)),
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=strategies)
        def send(case: schemathesis.Case) -> None:
            nonlocal sent
            sent += 1
            case.call_and_validate(headers=headers, checks=CHECKS)

        send()
    return sent


@pytest.mark.parametrize("who", ["owner", "contact"])
def test_a_thousand_requests_of_two_meet_no_fault(fuzzed: Fuzzed, who: str) -> None:
    app, headers = fuzzed
    assert fuzz(app, headers[who], cases=500) > 250


@pytest.mark.long
@pytest.mark.parametrize("who", ["owner", "contact"])
def test_twenty_thousand_requests_meet_no_fault(fuzzed: Fuzzed, who: str) -> None:
    app, headers = fuzzed
    assert fuzz(app, headers[who], cases=20_000) > 15_000
