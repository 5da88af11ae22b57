"""Erasing a person over HTTP: for a token that the operator made for it alone."""

from __future__ import annotations

from typing import Any

from flask import g

from pocdir import running
from pocdir.accounts import actions
from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.db import forget_deleted, transaction
from pocdir.site import schemas
from pocdir.site.actions.erasure import erase_person as erase
from pocdir.site.queries.erasure import found, whom
from pocdir.web.api import Blueprint

blueprint = Blueprint("people_api", __name__, url_prefix="/api/v1", description="People")


@blueprint.route("/people/erase", methods=["POST"])
@guard("person.erase")
@blueprint.arguments(schemas.ErasedPerson())
@blueprint.response(200, schemas.ErasureAnswer)
def erase_person(given: dict[str, Any]) -> Any:
    """Erase a person as `pocdir user erase` does, or say what would go; who others need is replaced first."""
    now = clock.now()
    with transaction() as session:
        email, user = whom(session, given["email"], ours=running.settings().mail_from)
        ref = user.ref if user else None
        taken = found(session, email=email, user=user).required()
        if not given["dry_run"]:
            if user is not None:
                actions.leave_in_order(session, user_id=user.id)
            taken = erase(
                session, email=email, user=user, reason=given["reason"], now=now, actor=g.principal.actor
            )
    if not given["dry_run"]:
        forget_deleted()
    return {
        "person": ref, "rows": taken.rows, "letters": taken.mails, "told": taken.told, "values": len(taken.values),
        "teams": taken.teams, "erased": not given["dry_run"],
    }  # fmt: skip
