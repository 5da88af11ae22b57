"""Erasing a person over HTTP: for a token that the operator made for it alone."""

from __future__ import annotations

from typing import Any

from flask import g

from pocdir.accounts import actions, erasure, queries, rules, schemas
from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.core.errors import NotFound
from pocdir.db import forget_deleted, transaction
from pocdir.web.api import Blueprint

blueprint = Blueprint("accounts_api", __name__, url_prefix="/api/v1", description="People")


@blueprint.route("/people/erase", methods=["POST"])
@guard("person.erase")
@blueprint.arguments(schemas.ErasedPerson())
@blueprint.response(200, schemas.ErasureAnswer)
def erase_person(given: dict[str, Any]) -> Any:
    """Erase a person as `pocdir user erase` does, or say what would go; who others need is replaced first."""
    now = clock.now()
    with transaction() as session:
        found = queries.user_by_email(session, rules.address_key(given["email"]))
        if found is None:
            raise NotFound("user_unknown", "there is no account with this address", where="email")
        ref = found.ref
        if given["dry_run"]:
            taken = erasure.found(session, found)
        else:
            actions.leave_in_order(session, user_id=found.id)
            taken = erasure.erase_person(
                session, user=found, reason=given["reason"], now=now, actor=g.principal.actor
            )
    if not given["dry_run"]:
        forget_deleted()
    return {
        "person": ref, "rows": taken.rows, "letters": taken.letters, "values": len(taken.values),
        "erased": not given["dry_run"],
    }  # fmt: skip
