"""Bodies that are JSON and yet cannot be read."""

from __future__ import annotations

import pytest

from tests.conftest import Api

DEEP = b'{"title": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
LONG = b'{"title": ' + b"9" * 6_000 + b"}"


@pytest.mark.parametrize("path", ["/api/v1/incidents", "/api/v1/notifications", "/api/v1/lookup"])
@pytest.mark.parametrize("body", [DEEP, LONG], ids=["nested too deep", "too long a number"])
def test_a_body_that_python_cannot_read_is_refused(api: Api, path: str, body: bytes) -> None:
    refused(api, path, body)


@pytest.mark.parametrize("body", [DEEP, LONG], ids=["nested too deep", "too long a number"])
def test_assets_that_python_cannot_read_are_refused(api: Api, body: bytes) -> None:
    opened = api.post("/api/v1/incidents", {"title": "Sinkhole hits"})
    refused(api, f"{opened.headers['Location']}/assets", body)


def refused(api: Api, path: str, body: bytes) -> None:
    response = api.client.post(path, data=body, content_type="application/json", headers=api.headers)
    assert (response.status_code, response.content_type) == (422, "application/problem+json")
    assert response.json is not None
    assert response.json["code"] == "body_invalid"
