"""A plan as API, page and command show it."""

from __future__ import annotations

from typing import Any

from pocdir.incidents.rules.assets import AssetValue
from pocdir.outreach.queries import parcels
from pocdir.outreach.rules.plan import Plan, Planned, Unrouted, asset_as_sent, opted_out_kinds
from pocdir.routing.rules.contacts import basis_json, channel_json, team_json
from pocdir.routing.rules.index import Basis


def shown_plan(plan: Plan) -> dict[str, Any]:
    """A plan as API and page show it."""
    return {
        "incident": plan.incident,
        "people_at_risk": plan.people_at_risk,
        "contacts": [shown_contact(each) for each in plan.contacts],
        "unrouted": [_unrouted(each) for each in plan.unrouted],
        "directory_version": plan.directory_version,
        "registry_version": plan.registry_version,
    }


def shown_contact(contact: Planned) -> dict[str, Any]:
    """A contact of a plan, with what goes to it."""
    basis = contact.basis
    return {
        "team": team_json(contact.team),
        "channel": channel_json(contact.channel),
        "basis": basis_json(basis) if isinstance(basis, Basis) else basis,
        "role": contact.role,
        "reasons": list(contact.reasons),
        "try_next_after": contact.try_next_after,
        "without_detail": contact.without_detail,
        "answer_asked": contact.answer_asked,
        "held": contact.held,
        "assets": [asset_as_sent(each) for each in contact.assets],
        "parcels": [parcels.shown(each) for each in contact.parcels],
        "copies": contact.copies,
        "declines": opted_out_kinds(contact.team),
    }


def _unrouted(it: Unrouted) -> dict[str, Any]:
    what = asset_as_sent(it.what) if isinstance(it.what, AssetValue) else {"value": it.what.name}
    return {"asset": what, "reason": it.reason}
