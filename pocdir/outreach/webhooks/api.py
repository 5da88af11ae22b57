"""Webhooks over HTTP: make one, see what became of its messages, switch it off."""

from __future__ import annotations

from typing import Any

from flask import g, url_for

from pocdir import running
from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.db import transaction
from pocdir.outreach.webhooks import actions, queries, schemas
from pocdir.outreach.webhooks.presentation import message, shown
from pocdir.web.api import Blueprint

blueprint = Blueprint("webhooks_api", __name__, url_prefix="/api/v1", description="To be told of new events")


@blueprint.route("/webhooks")
@guard("webhook.manage")
@blueprint.response(200, schemas.WebhookList)
def webhooks() -> Any:
    """The workspace's webhooks, oldest first."""
    found = queries.webhooks(g.principal.workspace_id)
    return {"items": [shown(each) for each in found], "next": None}


@blueprint.route("/webhooks", methods=["POST"])
@guard("webhook.manage")
@blueprint.arguments(schemas.NewWebhook())
@blueprint.response(201, schemas.WebhookAnswer)
def subscribe(given: dict[str, Any]) -> Any:
    """Make one; `secret` stands in this answer alone."""
    principal = g.principal
    with transaction() as session:
        made = actions.subscribe(
            session,
            workspace_id=principal.workspace_id,
            **given,
            mode=running.settings().webhooks,
            now=clock.now(),
            actor=principal.actor,
        )
        answer = shown(made, secret=True)
    return answer, {"Location": url_for("webhooks_api.webhook", ref=answer["ref"])}


@blueprint.route("/webhooks/<ref>")
@guard("webhook.manage")
@blueprint.response(200, schemas.WebhookAnswer)
def webhook(ref: str) -> Any:
    """One of them."""
    return shown(queries.webhook(ref, workspace_id=g.principal.workspace_id))


@blueprint.route("/webhooks/<ref>", methods=["PATCH"])
@guard("webhook.manage")
@blueprint.arguments(schemas.WebhookChange())
@blueprint.response(200, schemas.WebhookAnswer)
def switch(given: dict[str, Any], ref: str) -> Any:
    """Switch it on or off."""
    principal = g.principal
    with transaction() as session:
        kept = queries.webhook(ref, workspace_id=principal.workspace_id, session=session)
        if given["enabled"]:
            actions.enable(session, kept, actor=principal.actor)
        else:
            actions.disable(session, kept, because="person", now=clock.now(), actor=principal.actor)
        return shown(kept)


@blueprint.route("/webhooks/<ref>", methods=["DELETE"])
@guard("webhook.manage")
@blueprint.response(204)
def remove(ref: str) -> None:
    """Forget it and its messages."""
    principal = g.principal
    with transaction() as session:
        kept = queries.webhook(ref, workspace_id=principal.workspace_id, session=session)
        actions.remove(session, kept, actor=principal.actor)


@blueprint.route("/webhooks/<ref>/secret", methods=["POST"])
@guard("webhook.manage")
@blueprint.response(201, schemas.WebhookAnswer)
def renew_secret(ref: str) -> Any:
    """Another secret; the old one signs nothing more."""
    principal = g.principal
    with transaction() as session:
        kept = queries.webhook(ref, workspace_id=principal.workspace_id, session=session)
        actions.renew_secret(session, kept, actor=principal.actor)
        return shown(kept, secret=True)


@blueprint.route("/webhooks/<ref>/test", methods=["POST"])
@guard("webhook.manage")
@blueprint.response(201, schemas.Queued)
def test(ref: str) -> Any:
    """Queue a message of the type `webhook.test`."""
    with transaction() as session:
        kept = queries.webhook(ref, workspace_id=g.principal.workspace_id, session=session)
        actions.send_test(session, kept, now=clock.now())
    return {"queued": 1}


@blueprint.route("/webhooks/<ref>/deliveries")
@guard("webhook.manage")
@blueprint.response(200, schemas.DeliveryList)
def deliveries(ref: str) -> Any:
    """Its newest messages, those that were given up among them."""
    kept = queries.webhook(ref, workspace_id=g.principal.workspace_id)
    return {"items": [message(each) for each in queries.deliveries(kept)], "next": None}


@blueprint.route("/webhooks/<ref>/retry", methods=["POST"])
@guard("webhook.manage")
@blueprint.response(201, schemas.Queued)
def retry(ref: str) -> Any:
    """What was given up goes again."""
    with transaction() as session:
        kept = queries.webhook(ref, workspace_id=g.principal.workspace_id, session=session)
        return {"queued": actions.retry(session, kept, now=clock.now())}
