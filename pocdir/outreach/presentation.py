"""What is said about notifications, by API, pages and commands alike."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flask import Response, url_for
from flask_babel import force_locale
from flask_babel import gettext as _

from pocdir import running
from pocdir.core import tlp
from pocdir.core.errors import Invalid
from pocdir.db import Line
from pocdir.incidents.rules.assets import AssetValue
from pocdir.ledger.queries import events_of_notification
from pocdir.ledger.rules.events import Event
from pocdir.outreach.escalation.queries import contact_of, next_steps
from pocdir.outreach.models import Parcel
from pocdir.outreach.queries import notifications as queries
from pocdir.outreach.queries import parcels
from pocdir.outreach.queries.snapshots import Snapshot, of_incidents, snapshot_for_recipient
from pocdir.outreach.rules import corrections
from pocdir.outreach.rules import letter as letters
from pocdir.outreach.rules.fold import RESPONSE_GROUPS, response_group
from pocdir.outreach.rules.plan import Plan, Planned, Unrouted, asset_as_sent, declined
from pocdir.outreach.rules.posting import POSTED_BY
from pocdir.outreach.rules.recipient import LIFE, recipient_token
from pocdir.routing.rules.contacts import basis_json, channel_json, team_json
from pocdir.routing.rules.index import Basis

_SAYS_TICKET = ("ack.", "response.", "outcome.remediation_claimed", "reply.")


def listed(page: dict[str, Any]) -> dict[str, Any]:
    """A page of notifications with each as the API shows it."""
    return page | {"items": [shown(each) for each in page["items"]]}


def shown(snapshot: Snapshot) -> dict[str, Any]:
    """A notification as the API shows it."""
    row = snapshot.row
    standing = [each.due_at for each in snapshot.expectations if each.state in queries.NOT_ANSWERED]
    return {
        "ref": row.ref,
        "incident": row.incident_ref,
        "team": row.team_slug,
        "channel": {"kind": row.channel_kind, "value": row.channel_value},
        "kind": row.kind,
        "sent_at": row.sent_at,
        "send": False,  # as the schema says
        "subject": row.subject,
        "body": row.body,
        "body_digest": row.body_digest,
        "language": row.language,
        "tlp": row.tlp,
        "assets": row.assets,
        "parent": row.parent_ref,
        "answer_asked": row.answer_asked,
        "expect": snapshot.expectations,
        "sent_level": row.sent_level,
        "state": {
            "transport": row.transport,
            "response": row.response,
            "outcome": row.outcome,
            "clock": row.clock,
        },
        "due": row.due or min(standing, default=None),
        "recipient_page": recipient_page(row),
        "created_at": row.created_at,
        "withdrawn_at": row.withdrawn_at,
    }


def recipient_page(row: Line) -> str | None:
    """The recipient's link; None once the notification was taken back."""
    if row.withdrawn_at is not None:
        return None
    settings = running.settings()
    token = recipient_token(
        running.secret(),
        row.ref,
        row.channel_kind,
        row.channel_value,
        row.address_version,
        row.created_at + LIFE,
    )
    return f"{settings.external_url}/r/{token}"


def shown_event(event: Event, *, as_contact: bool = False) -> dict[str, Any]:
    """An event as interface and pages show it: plain and not erased values together.

    A contact of the notified team does not read what the sender noted for its own workspace, nor who acted for it.
    """
    hidden = set()
    if as_contact and event.claimed_by == "sender":
        hidden = {"note"} if event.type == "notification.logged" else set(event.sealed)
    return {
        "id": event.id,
        "type": event.type,
        "v": event.v,
        "occurred_at": event.occurred_at,
        "precision": event.precision,
        "recorded_at": event.recorded_at,
        "payload": {
            **event.payload,
            **{name: value for name, value in event.sealed.items() if name not in hidden},
        },
        "evidence_digest": event.evidence_digest,
        "claimed_by": event.claimed_by,
        "assurance": event.assurance,
        "actor": None if as_contact and event.claimed_by != "recipient" else event.actor,
        "log_index": event.log_index,
    }


def for_contact(events: Iterable[Event]) -> list[Event]:
    """The events without the sender's path: whom else it turns to is not for the notified team."""
    return [event for event in events if not event.type.startswith("escalation.")]


def letter(snapshot: Snapshot, *, content: str | None = None, link: bool = True) -> dict[str, Any]:
    """The letter to copy: to, subject, body, and a `mailto:` link where the channel is a mail address.

    `content` one of letters.CONTENTS; None: that of the step which led to it, else all. `link`: whether it ends
    with the recipient's own.
    """
    row = snapshot.row
    workspace = queries.workspace_by_id(row.workspace_id)
    leads = row.parent_id or row.id
    contact = contact_of(leads, workspace_id=row.workspace_id, incident_id=row.incident_id)
    followed = events_of_notification(row.parent_ref) if row.parent_ref else []
    first = snapshot_for_recipient(row.parent_ref) if row.parent_ref else None
    matter = letters.Matter(
        kind=row.kind,
        reference=row.ref,
        tlp=row.tlp,
        sender=letters.Sender(name="", workspace=workspace.name, contact=contact),
        title=row.subject or _incident_title(row, row.tlp),
        about=(row.rsit_class, row.rsit_type) if row.rsit_class else None,
        message=row.body,
        assets=[letters.Asset(value=asset["value"], port=asset.get("port")) for asset in row.assets],
        files=[letters.File(each["name"], each["rows"], each["sha256"]) for each in handed_over(snapshot)],
        asked=[letters.Asked(each.of, each.due_at) for each in snapshot.expectations],
        link=recipient_page(row) if link else None,
        content=content or _content_of(row.ref, followed),
        for_reader=content is None,
        since=_since(row, row.tlp),
        first=_first(row, first, followed) if first else None,
        case_tlp=tlp.strictest(*(it.row.incident_tlp or it.row.tlp for it in (snapshot, first) if it)),
    )
    mailto = None
    with force_locale(row.language if row.language in letters.LANGUAGES else "en"):
        text = letters.letter(matter, _)
        # An address that is none was logged as it was said: then there is a letter to copy, and no link.
        with contextlib.suppress(Invalid):
            if row.channel_kind == "email":
                mailto = letters.mailto_url(row.channel_value, text.subject, text.body, _)
    return {"to": row.channel_value, "subject": text.subject, "body": text.body, "mailto": mailto}


def _content_of(ref: str, followed: Sequence[Event]) -> str:
    steps = (event for event in followed if event.type == "escalation.step_taken")
    said = (it.payload.get("content") for it in steps if it.payload.get("notification") == ref)
    return next(said, None) or "full"


def _first(row: Line, found: Snapshot, followed: Sequence[Event]) -> letters.First:
    """The report that this one follows, as far as the label of this letter lets it be told."""
    first = found.row
    words = (each for each in reversed(corrections.counting(followed)) if each.type.startswith(_SAYS_TICKET))
    missed = (each.due_at for each in found.expectations if each.state in queries.NOT_ANSWERED)
    may_tell = tlp.is_at_least(row.tlp, tlp.strictest(first.tlp, first.incident_tlp or first.tlp))
    return letters.First(
        reference=first.ref,
        team=first.team_name,
        channel=first.channel_value,
        sent_at=first.sent_at,
        own=first.team_slug == row.team_slug,
        about=(first.subject or _incident_title(first, row.tlp)) if may_tell else None,
        count=len(first.assets),
        since=_since(first, row.tlp),
        ticket=next((each.sealed["ticket"] for each in words if each.sealed.get("ticket")), None),
        asked_for=min(missed, default=None),
        failed=first.transport == "failed",
        not_theirs=first.response == "misdirected",
    )


def _since(row: Line, label: str) -> dt.datetime | None:
    """Since when it was seen; None where nobody said so, or its incident bears a stricter label than the letter."""
    is_told = row.incident_tlp is not None and tlp.is_at_least(label, row.incident_tlp)
    return row.detected_from if is_told else None


def _incident_title(row: Line, label: str) -> str | None:
    """The incident's title, unless the incident bears a stricter label than the letter."""
    if row.incident_tlp is None or not tlp.is_at_least(label, row.incident_tlp):
        return None
    return str(row.incident_title)


def described(snapshot: Snapshot) -> dict[str, Any]:
    """A notification as the pages show it: with the names of team and incident."""
    row = snapshot.row
    return shown(snapshot) | {
        "team": {"slug": row.team_slug, "name": row.team_name},
        "incident": {"ref": row.incident_ref, "title": row.incident_title} if row.incident_ref else None,
        "parent": {"ref": row.parent_ref} if row.parent_ref else None,
    }


def timeline(
    events: Sequence[Event], snapshots: Sequence[Snapshot], *, as_contact: bool = False
) -> list[dict[str, Any]]:
    """Events oldest first, each with its notification, and whether it was taken back or may be by who reads."""
    own = "recipient" if as_contact else "sender"
    may_take_back = CORRECTABLE["contact" if as_contact else "member"]
    by_ref = {
        each.row.ref: {"ref": each.row.ref, "team": {"slug": each.row.team_slug, "name": each.row.team_name}}
        for each in snapshots
    }
    kept = {event.id for event in corrections.counting(events)}
    told = []
    for event in sorted(for_contact(events) if as_contact else events, key=_in_time):
        about = by_ref.get(event.notification or "")
        told.append(
            shown_event(event, as_contact=as_contact)
            | {
                "corrected": event.id not in kept,
                "may_correct": event.id in kept and event.claimed_by == own and event.type in may_take_back,
                "notification": about,
            }
        )
    return told


def contests(told: Mapping[str, Sequence[Event]]) -> dict[str, list[dict[str, Any]]]:
    """What recipients set against notifications and have not taken back, by notification, with words (None: erased)."""
    found = {
        ref: [
            {"note": each.sealed.get("note"), "occurred_at": each.occurred_at}
            for each in corrections.counting(events)
            if each.type == "response.contested"
        ]
        for ref, events in told.items()
    }
    return {ref: words for ref, words in found.items() if words}


def _in_time(event: Event) -> tuple[Any, ...]:
    """By when it happened; of what happened at once, first what all the rest is about."""
    begins = {"incident.opened": 0, "notification.logged": 1}
    return event.occurred_at, begins.get(event.type, 2), event.recorded_at, event.id


_FINAL = ("event.corrected", "classification.corrected", "ack.retracted", "expectation.set")
CORRECTABLE = {
    poster: frozenset(
        type_ for type_, posters in POSTED_BY.items() if poster in posters and type_ not in _FINAL
    )
    for poster in ("member", "contact")
}


def counted(snapshots: Sequence[Snapshot]) -> dict[str, int]:
    """How many were told (not withdrawn); of these answered, got ticket mail only, nothing, or bounced."""
    standing = [each.row for each in snapshots if each.row.withdrawn_at is None]
    groups = Counter(response_group(row.response, row.transport) for row in standing)
    return {
        "told": len(standing),
        "withdrawn": len(snapshots) - len(standing),
        **{name: groups[name] for name in RESPONSE_GROUPS},
    }


def incident_rows(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Incidents as the list shows them, with the numbers of what became of their notifications."""
    told: dict[int, list[Snapshot]] = {}
    for each in of_incidents([incident.id for incident, _assets in rows]):
        told.setdefault(each.row.incident_id, []).append(each)
    names = ("ref", "title", "tlp", "rsit_class", "rsit_type", "people_at_risk", "created_at", "closed_at")
    return [
        {name: getattr(incident, name) for name in names}
        | {"assets": assets}
        | counted(told.get(incident.id, []))
        for incident, assets in rows
    ]


def working_list(found: Sequence[Snapshot], *, now: dt.datetime) -> list[dict[str, Any]]:
    """What waits, each with the time asked for (the earliest that passed), its age, and the next step.

    `step` is that of its policy (target, due_at, state), None without one; then there is a `next` to do by hand.
    """
    listed = []
    steps = next_steps([each.row.id for each in found])
    for each in found:
        lapsed = [one.due_at for one in each.expectations if one.state in queries.NOT_ANSWERED]
        values = described(each)
        listed.append(
            values
            | {
                "due": min(lapsed, default=each.row.due),
                "waiting": (now - each.row.sent_at).total_seconds(),
                "step": steps.get(each.row.id),
                "next": {"text": _("Try another address"), "href": _follow_up(values)},
            }
        )
    return listed


def _follow_up(values: dict[str, Any]) -> str:
    return url_for("outreach.notify", team=values["team"]["slug"], parent=values["ref"])


def handed_over(snapshot: Snapshot) -> list[dict[str, Any]]:
    """The files that went with a notification."""
    return [parcels.shown(each) for each in parcels.of_notifications([snapshot.row.id])[snapshot.row.id]]


def parcel_file(parcel: Parcel) -> Response:
    """A parcel's bytes as a file to keep."""
    response = Response(parcels.content(parcel), content_type="text/csv")
    response.headers.set("Content-Disposition", "attachment", filename=parcel.name)
    response.content_length = parcel.size
    return response


def for_recipient(snapshot: Snapshot) -> dict[str, Any]:
    """What the recipient's page shows: what the mail said, nothing above its own TLP."""
    names = ("kind", "sent_at", "tlp", "subject", "body", "assets", "language")
    return {name: getattr(snapshot.row, name) for name in names} | {
        "expect": snapshot.expectations,
        # The incident may bear a stricter label than this mail: its title is the sender's own.
        "incident_title": None,
        "reference": snapshot.row.ref,
        "parcels": handed_over(snapshot),
    }


def told_rows(found: Sequence[Snapshot], senders: Mapping[int, str]) -> list[dict[str, Any]]:
    """What was told to a team, a line each: who wrote, about what, and what is recorded of the answer."""
    names = ("ref", "kind", "sent_at", "tlp", "subject", "response", "withdrawn_at")
    return [
        {name: getattr(each.row, name) for name in names}
        | {
            "workspace": senders[each.row.workspace_id],
            "assets": len(each.row.assets),
            "asked_for": min((one.due_at for one in each.expectations), default=None),
        }
        for each in found
    ]


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
        "declines": declined(contact.team),
    }


def _unrouted(it: Unrouted) -> dict[str, Any]:
    what = asset_as_sent(it.what) if isinstance(it.what, AssetValue) else {"value": it.what.name}
    return {"asset": what, "reason": it.reason}
