"""Updates that do not overwrite what somebody else changed meanwhile (ETag, If-Match)."""

from __future__ import annotations

from flask import Response, request

from pocdir.core.errors import Stale


def require_match(revision: int) -> None:
    """Raises Stale `stale` when the request's If-Match names another revision; absent means *any*."""
    given = request.if_match
    if given and not given.contains(str(revision)):
        raise Stale("stale", "it was changed since you read it; read it again")


def tagged(response: Response, revision: int) -> Response:
    """The response with the row's revision as its ETag."""
    response.set_etag(str(revision))
    return response
