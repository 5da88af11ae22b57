"""Pages as somebody with a browser uses them: forms with their token, a notification logged, its link."""

from __future__ import annotations

import re
from typing import Any

from flask.testing import FlaskClient

from pocdir.db import db
from pocdir.ledger import queries as ledger


def event_count() -> int:
    """As it stands now, not as it stood when the test first looked."""
    db.session.rollback()
    return ledger.event_count()


def csrf(client: FlaskClient, path: str) -> str:
    page = client.get(path).text
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found, page
    return found[1]


def send(client: FlaskClient, path: str, form_at: str | None = None, **typed: Any) -> Any:
    return client.post(path, data={"csrf_token": csrf(client, form_at or path)} | typed)


def logged(client: FlaskClient, **typed: Any) -> str:
    response = send(client, "/notify", action="log", **({"team": "cert-at"} | typed))
    assert response.status_code == 302, response.text
    return response.headers["Location"]


def link(client: FlaskClient, path: str) -> str:
    found = re.search(r"http://localhost:8000(/r/[\w-]+)", client.get(path).text)
    assert found
    return found[1]
