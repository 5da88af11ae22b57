"""Webhooks in the browser, for the owners of a workspace."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from pocdir import running
from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.core.errors import NotFound, Refusal
from pocdir.db import transaction
from pocdir.outreach.webhooks import actions, queries, rules, schemas
from pocdir.outreach.webhooks.presentation import message, secret_of, shown
from pocdir.web.forms import Form, form

blueprint = Blueprint("webhooks", __name__)
# What one asks for most often; the API takes the whole vocabulary.
TYPES = (
    "expectation.lapsed", "ack.given", "reply.human", "response.accepted", "response.declined", "response.misdirected",
    "response.passed_on", "response.info_requested", "response.contested", "outcome.remediation_claimed",
    "delivery.failed", "escalation.step_due", "escalation.step_taken", "escalation.no_working_contact",
    "escalation.exhausted",
)  # fmt: skip


@blueprint.get("/workspace/webhooks")
@guard("webhook.manage")
def webhooks() -> str:
    return _webhooks(Form())


@blueprint.post("/workspace/webhooks")
@guard("webhook.manage", fresh_from="webhooks.webhooks")
def subscribe() -> Any:
    principal, typed = g.principal, form(schemas.NewWebhook(), request.form)
    if typed.valid:
        try:
            with transaction() as session:
                made = actions.subscribe(
                    session,
                    workspace_id=principal.workspace_id,
                    **typed.data,
                    mode=running.settings().webhooks,
                    now=clock.now(),
                    actor=principal.actor,
                )
                secret = secret_of(made)
            return _webhooks(Form(), secret=secret)
        except Refusal as refusal:
            typed.refuse(refusal)
    return _webhooks(typed), 422


@blueprint.post("/workspace/webhooks/<ref>/<act>")
@guard("webhook.manage", fresh_from="webhooks.webhooks")
def change(ref: str, act: str) -> Any:
    principal, now, secret = g.principal, clock.now(), None
    with transaction() as session:
        kept = queries.webhook(ref, workspace_id=principal.workspace_id, session=session)
        if act == "enable":
            actions.enable(session, kept, actor=principal.actor)
        elif act == "disable":
            actions.disable(session, kept, because="person", now=now, actor=principal.actor)
        elif act == "secret":
            actions.renew_secret(session, kept, actor=principal.actor)
            secret = secret_of(kept)
        elif act == "test":
            actions.send_test(session, kept, now=now)
        elif act == "retry":
            actions.retry(session, kept, now=now)
        elif act == "remove":
            actions.remove(session, kept, actor=principal.actor)
        else:
            raise NotFound("not_found", _("There is no such page."))
    if secret:
        return _webhooks(Form(), secret=secret)
    flash(_("Done."), "success")
    return redirect(url_for("webhooks.webhooks"))


def _webhooks(typed: Form, secret: str | None = None) -> str:
    found = queries.webhooks(g.principal.workspace_id)
    return render_template(
        "outreach/webhooks.html",
        webhooks=[
            shown(each) | {"messages": [message(one) for one in queries.deliveries(each, 20)]}
            for each in found
        ],
        types=TYPES,
        form=typed,
        secret=secret,
        takes_http=running.settings().webhooks == rules.HTTP,
        is_off=running.settings().webhooks == rules.OFF,
    )
