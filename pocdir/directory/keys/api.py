"""Keys of teams over HTTP."""

from __future__ import annotations

from typing import Any

from flask import current_app, g

from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.db import transaction
from pocdir.directory.keys import actions, queries, schemas
from pocdir.web.api import Blueprint
from pocdir.web.idempotency import once

blueprint = Blueprint("keys_api", __name__, url_prefix="/api/v1", description="OpenPGP keys of teams")


@blueprint.route("/teams/<slug>/keys")
@guard("directory.read")
@blueprint.response(200, schemas.KeyPage)
def keys(slug: str) -> Any:
    """The keys that stand for a team; for stewards also those that wait, and what became of others."""
    return {"items": queries.listed(slug, roles=g.principal.roles, now=clock.now()), "next": None}


@blueprint.route("/teams/<slug>/keys", methods=["POST"])
@guard("key.manage")
@blueprint.arguments(schemas.NewKey())
@blueprint.response(201, schemas.KeyAnswer)
def add_key(given: dict[str, Any], slug: str) -> Any:
    """Bring a public key to a team, as a steward; or a newer copy of one."""
    now, actor = clock.now(), g.principal.actor
    key = queries.examined(slug, given.pop("key").encode(), now=now)
    with transaction() as session:

        def act() -> str:
            mail_domain = current_app.extensions["pocdir"].mail_domain
            more = {"slug": slug, "key": key, "mail_domain": mail_domain, "now": now, "actor": actor}
            return actions.propose(session, **more, **given).ref

        ref = once(session, scope=actor, now=now, act=act)
    return queries.told(queries.key(ref), now=now)
