"""The event vocabulary: one table of what may be recorded, on whose word, with which payload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain

from pocdir.core import rsit, tlp
from pocdir.ledger.rules.payload import (
    BOOLEAN,
    CHOICE,
    CHOICES,
    DIGEST,
    DURATION,
    INTEGER,
    LANGUAGE,
    LINE,
    OBJECTS,
    REF,
    STATUS,
    TEXT,
    TEXTS,
    TIME,
    Name,
)

CHANNEL_KINDS = ("email", "phone", "form", "api", "signal", "matrix", "postal")
ADDRESS_STATES = ("unverified", "verified", "due", "in-check", "unresponsive", "bouncing", "withdrawn")
ORIGINS = ("manual", "imported")
TEAM_FACTS = (
    "name", "short_name", "kind", "country", "website", "languages", "timezone", "host_kind", "memberships",
    "parent", "names", "business_hours", "established", "rfc2350", "rfc2350_date", "first_id", "ti_url", "ripe_org",
    "misp_uuid", "cna_name", "host_declared_by", "law_enforcement", "law_enforcement_declared_by",
    "neutrality_policy", "neutrality_declared_by", "accepts_private", "accepts_abroad", "line",
    "encryption_required", "accepts_samples", "samples_how", "size_limit", "tlp", "opt_outs", "intake", "promise",
)  # fmt: skip
INCIDENT_FIELDS = (
    "title", "description", "source_ref", "tlp", "class", "type", "detected_from", "detected_to", "people_at_risk",
    "quiet_after",
)  # fmt: skip
NOTIFICATION_KINDS = ("report", "follow_up", "sample_request", "referral", "ping")
EXPECTED = ("acknowledgement", "sample", "remediation", "answer")
SENT_LEVELS = ("P0", "P1", "P2", "P3", "P4")
AUTOMATIC = ("receipt", "out_of_office", "other")
MAIL_CLASSES = ("bounce", "delay", "dsn_success", "mdn", "arf", "automatic", "human", "unrelated")
VIA = (*CHANNEL_KINDS, "page", "other")
METHODS = (
    "sinkhole", "scan", "honeypot", "darknet", "netflow", "passive_dns", "crawl", "feed", "manual", "other",
)  # fmt: skip
# What a report has to be; a machine can check each. `feeds`: takes feeds and does not confirm singly.
INTAKE = (
    "one-address", "timestamps-with-zone", "evidence", "language", "encryption", "web-form-only", "feeds",
)  # fmt: skip
POLICIES = ("sender:1",)  # who set the due time, and by which version of the rules
CONTENTS = ("reference", "summary", "full")  # how much a step tells
SKIPPED = ("answered", "withdrawn", "no_contact", "opted_out", "other")
# Why a step that was approved beforehand did not go out by itself, and is a person's to take.
HELD = (
    "owner", "late", "earlier_step", "no_consent", "opted_out", "no_mail", "people_at_risk", "closed", "mail_waits",
    "told_lately", "other_channel", "key", "day_full", "not_allowed", "thread_full", "refused", "other",
)  # fmt: skip
TARGETS = ("same_team", "parent", "sector", "national", "regional", "global", "resolver")


@dataclass(frozen=True, slots=True)
class EventType:
    """What `occurred_at` means, who may claim it, and its payload."""

    occurred_at: str
    claimed_by: tuple[str, ...]
    names: Mapping[str, Name]


def _required(name: Name) -> Name:
    return replace(name, required=True)


def _choice(*choices: str) -> Name:
    return Name(CHOICE, choices=choices)


def _choices(*choices: str) -> Name:
    return Name(CHOICES, choices=choices)


def _count(low: int, high: int) -> Name:
    return Name(INTEGER, bounds=(low, high))


_text, _line, _digest, _status, _language, _ref, _time, _duration, _flag = (
    Name(form) for form in (TEXT, LINE, DIGEST, STATUS, LANGUAGE, REF, TIME, DURATION, BOOLEAN)
)
_many, _attempt, _step, _level = _count(0, 10_000_000), _count(1, 1_000), _count(1, 100), _count(1, 100)
_of, _kind, _via = _choice(*EXPECTED), _choice(*CHANNEL_KINDS, "other"), _choice(*VIA)
_policy, _state, _label = _choice(*POLICIES), _choice(*ADDRESS_STATES), _choice(*tlp.LABELS)

# The sealed values of a notification's events that are words of a message or somebody's notes on it. Ticket numbers,
# digests and who was told stay: they are what was committed to.
MESSAGE_WORDS = ("subject", "note", "from", "message_id", "raw_date", "diagnostic")
_MESSAGE = {"attempt": _attempt, "kind": _kind, "recipient": _line, "message_id": _line}
_MAIL = dict.fromkeys(("message_id", "from", "subject", "raw_date", "ticket", "rule"), _line)
_ANSWER = {"ticket": _line, "note": _text, "via": _via, "may_be_automatic": _flag}
_ABOUT = {"expectation": _ref, "step": _step, "level": _level, "policy": _ref}
_STEP = {
    "target": _choice(*TARGETS), "content": _choice(*CONTENTS), "notification": _ref, "to": _line,
}  # fmt: skip
_ADDRESS = {
    "kind": _required(_kind), "value": _required(_line), "state": _required(_state), "before": _required(_state),
    "evidence": _text, "reachability": _count(1, 5),
}  # fmt: skip
_KEY = {
    "key": _required(_ref), "fingerprint": _required(_line), "addresses": Name(TEXTS), "expires_at": _time,
    "note": _text,
}  # fmt: skip
_QUARANTINED = {"source": _required(_line), "items": _required(_many), "reasons": Name(TEXTS)}
_DECIDED = {"item": _required(_ref), "source": _required(_line), "note": _text}
_PROPOSAL = {"proposal": _required(_ref)}
_TOLD = {"told": _many, "not_before": _time}
_CHANGES = _PROPOSAL | {
    "fields": _required(_choices(*TEAM_FACTS, "channel", "responsibility")), "changes": _required(Name(OBJECTS)),
}  # fmt: skip
_REVISION = {"revision": _required(_many)}  # which the act led to: their order, whatever a clock does
# What bears TLP:RED leaves its label and the flag alone: nothing of its content stands in the ledger.
_INCIDENT = {
    "title": _line, "description": Name(TEXT, bounds=(1, 10_000)), "source_ref": _line,
    "class": _choice(*rsit.CLASSES), "type": _choice(*dict.fromkeys(chain(*rsit.CLASSES.values()))),
    "detected_from": _time, "detected_to": _time, "people_at_risk": _flag, "quiet_after": _duration,
}  # fmt: skip
_INCIDENT_CHANGE = {"fields": _required(_choices(*INCIDENT_FIELDS)), "tlp_from": _label, "tlp_to": _label}
_WINDOW = {
    "window": _required(_ref), "method": _required(_choice(*METHODS)), "from": _time, "to": _time,
    "count": _required(_many), "seen": _required(_many), "strangers": _many, "digest": _digest,
}  # fmt: skip


def _delivery(action: str) -> EventType:
    names = {
        "attempt": _attempt, "recipient": _line, "action": _choice(action), "status": _status,
        "remote_mta": _line, "diagnostic": _text, "until": _time, "rule": _line,
    }  # fmt: skip
    return EventType("the date of the delivery report", ("remote_mta", "sender", "service"), names)


def _answer(**names: Name) -> EventType:
    return EventType("when the recipient did it", ("recipient", "sender"), _ANSWER | names)


def _measured() -> EventType:
    names = {
        "count": _many, "all": _many, "method": _choice(*METHODS), "last_seen": _time, "quiet_after": _duration,
        "note": _text,
    }  # fmt: skip
    return EventType("the measurement", ("sender",), names)


def _pairing(refused: bool = False) -> EventType:
    """What stewards say of two entries, by their slugs: `part` goes into the other; the team itself may call it off."""
    names = {
        "what": _required(_choice("merge", "split", "apart")), "part": _required(_line), "into": _required(_line),
        "reason": _text,
    }  # fmt: skip
    return EventType("the act", _keepers if refused else ("steward", "service"), names)


_THREAD = {
    "notification": _required(_ref), "answer": _required(_ref), "in_substance": _flag, "may_be_automatic": _flag,
}  # fmt: skip
_DIGEST = {"digest": _required(_choice("on", "off")), "hour": _count(0, 23), "address": _line}
_TAKES = {"takes": _required(_choices("follow_up", "referral")), "note": _text}
_APPROVED = {"workspace": _required(_ref), "policy": _required(_ref), "digest": _digest}
_RENAMED = {"workspace": _required(_ref), "old_name": _required(_line), "new_name": _required(_line)}
_ALLOWED = {"workspace": _required(_ref), "note": _text}
_sender, _service, _keepers = ("sender",), ("service",), ("team", "steward", "service")
VOCABULARY: Mapping[str, EventType] = {
    "notification.drafted": EventType("the act", _sender, {"note": _text}),
    "notification.approved": EventType("the act", _sender, {"note": _text}),
    "notification.logged": EventType(
        "when the sender says it was sent",
        _sender,
        {
            "kind": _choice(*NOTIFICATION_KINDS), "channel": _kind, "answer_asked": _flag, "language": _language,
            "assets": _many, "parent": _ref, "recipient": _line, "subject": _line, "body_digest": _digest,
            "note": _text, "opted_out": _flag, "rules_not_met": _choices(*INTAKE),
        },
    ),
    "parcel.attached": EventType(
        "the act", _sender, {"rows": _required(_many), "name": _line, "digest": _digest}
    ),
    "notification.withdrawn": EventType(
        "the act", _sender,
        {"reason": _choice("mistake", "duplicate", "resolved", "superseded", "other"), "note": _text},
    ),
    "message.queued": EventType("our queue took it", _service, _MESSAGE),
    "message.submitted": EventType(
        "the 250 of the server named by `hop`", _service,
        _MESSAGE | {"hop": _choice("relay", "recipient_mx"), "remote_mta": _line},
    ),
    "message.stale": EventType(
        "it was given up unsent", _service,
        _MESSAGE | {"reason": _choice("expired", "refused", "withdrawn", "key", "address", "other")},
    ),
    "message.copied": EventType("the date of the sender's own mail, copied to us", _service, _MAIL),
    "delivery.relayed": _delivery("relayed"),
    "delivery.delivered": _delivery("delivered"),
    "delivery.delayed": _delivery("delayed"),
    "delivery.failed": _delivery("failed"),
    "delivery.expanded": _delivery("expanded"),
    "disposition.displayed": EventType("the date of the disposition report", ("recipient", "service"), _MAIL),
    "disposition.deleted": EventType("the date of the disposition report", ("recipient", "service"), _MAIL),
    "reply.automatic": EventType(
        "the mail's date, bounded by our sending and our receipt",
        ("recipient", "sender"),
        _MAIL | {"subclass": _required(_choice(*AUTOMATIC)), "note": _text},
    ),
    "reply.human": EventType(
        "the mail's date, bounded by our sending and our receipt",
        ("recipient", "sender"),
        _MAIL | {"note": _text, "via": _via, "may_be_automatic": _flag},
    ),
    "ack.given": _answer(already=_flag),
    "ack.retracted": _answer(event=_ref),
    "response.accepted": _answer(),
    "response.declined": _answer(reason=_choice("mandate", "capacity", "evidence", "policy", "other")),
    "response.misdirected": _answer(ask=_line),
    "response.info_requested": _answer(),
    "response.passed_on": _answer(count=_many, to=_line),
    "response.contested": _answer(),
    "outcome.remediation_claimed": _answer(count=_many),
    "thread.answered": EventType("when the other notification of the thread was answered", _service, _THREAD),
    "outcome.remediation_observed": _measured(),
    "outcome.relapsed": _measured(),
    "expectation.set": EventType(
        "the clock's start",
        ("service", "sender"),
        {
            "of": _required(_of), "within": _required(_duration), "due_at": _time, "level": _level,
            "policy_version": _policy,
        },
    ),
    "expectation.changed": EventType(
        "the act",
        ("service", "sender"),
        {
            "expectation": _required(_ref), "state": _choice("met", "withdrawn"), "within": _duration,
            "due_at": _time, "level": _level, "policy_version": _policy, "note": _text,
        },
    ),
    "expectation.paused": EventType("the act", ("service", "sender"), {"expectation": _ref, "note": _text}),
    "expectation.resumed": EventType(
        "the act", ("service", "sender"), {"expectation": _ref, "due_at": _time, "note": _text}
    ),
    "expectation.lapsed": EventType(
        "due_at: when it fell due, whenever it was written down",
        ("clock",),
        {
            "expectation": _required(_ref), "of": _required(_of), "due_at": _required(_time),
            "level": _required(_level), "sent_level": _choice(*SENT_LEVELS), "policy_version": _policy,
        },
    ),
    "escalation.set": EventType(
        "the act", ("service", "sender"),
        {"policy": _ref, "digest": _digest, "not_before": _time, "state": _choice("withdrawn")},
    ),
    "escalation.step_due": EventType("due_at", ("clock",), _ABOUT | {"target": _choice(*TARGETS), "to": _line}),
    "escalation.step_approved": EventType("the act", _sender, _ABOUT | {"to": _line}),
    "escalation.step_taken": EventType("the act", ("clock", "sender"), _ABOUT | _STEP),
    "escalation.step_skipped": EventType(
        "the act", ("clock", "sender"), _ABOUT | {"reason": _required(_choice(*SKIPPED)), "note": _text}
    ),
    "escalation.step_held": EventType(
        "when it would have gone out by itself", ("clock",),
        _ABOUT | {"reason": _required(_choice(*HELD)), "to": _line},
    ),
    "escalation.other_channel": EventType(
        "our queue took it", ("clock",), {"notification": _required(_ref), "recipient": _line, "failed": _line}
    ),
    "escalation.no_working_contact": EventType("when none was left to write to", ("clock",), _ABOUT),
    "escalation.exhausted": EventType("when the last step was behind us", ("clock",), _ABOUT),
    "reminder.sent": EventType("our server's 250", _service, _MESSAGE | {"to": _choice("sender", "recipient")}),
    "ping.sent": EventType("our server's 250", _service, _MESSAGE),
    "contact.asked": EventType("our server's 250", _service, _MESSAGE),
    "contact.confirmed": EventType("the evidence", _keepers, _ADDRESS | {"via": _via}),
    "contact.marked": EventType("the evidence", _keepers, _ADDRESS),
    "contact.marked_bouncing": EventType("the evidence", _keepers, _ADDRESS),
    "contact.changed": EventType(
        "the act",
        _keepers,
        {
            "origin": _required(_choice(*ORIGINS)),
            "fields": _required(_choices(*TEAM_FACTS, "channel", "responsibility")),
            "source": _required(_line), "changes": _required(Name(OBJECTS)), "evidence": _text,
            "forced": Name(TEXTS), "proposal": _ref,
        },
    ),
    "key.proposed": EventType("the act", _keepers, _KEY),
    "key.approved": EventType("the act", ("steward",), _KEY),
    "key.pinned": EventType("the act", _keepers, _KEY),
    "key.refused": EventType("the act", _keepers, _KEY),
    "key.refreshed": EventType("the act", _keepers, _KEY),
    "key.retired": EventType(
        "the act", _keepers, _KEY | {"reason": _required(_choice("replaced", "revoked", "withdrawn"))}
    ),
    "key.expired": EventType("the key's own end", _service, _KEY),
    "key.expiry_told": EventType(
        "the letter was queued", _service, _KEY | {"days": _required(_choice("60", "30", "7"))}
    ),
    "quarantine.held": EventType("the import", _service, _QUARANTINED),
    "quarantine.superseded": EventType("the import", _service, _QUARANTINED),
    "quarantine.approved": EventType("the act", ("steward", "service"), _DECIDED),
    "quarantine.accepted": EventType("the act", ("steward", "service"), _DECIDED),
    "quarantine.refused": EventType("the act", ("team", "steward"), _DECIDED),
    "contact.proposed": EventType("the act", ("team", "steward"), _CHANGES | {"note": _text} | _TOLD),
    "contact.approved": EventType("the act", ("steward",), _PROPOSAL),
    "contact.refused": EventType(
        "the act", ("steward", "service"), _PROPOSAL | {"reason": _required(_text)}
    ),
    "contact.retracted": EventType(
        "the act", _keepers,
        _PROPOSAL | {"because": _required(_choice("taken_back", "stands_already", "nobody_decided"))},
    ),
    "contact.cancelled": EventType("the act", ("team",), _PROPOSAL | {"address": _line}),
    "contact.renewed": EventType("the entry had changed, or one steward was left", _service, _CHANGES | _TOLD),
    "contact.letter_read": EventType(
        "the act", ("steward",), {it: _required(_line) for it in ("letter", "kind", "address")}
    ),
    "contact.claim_asked": EventType("the act", _service, {"address": _required(_line)}),
    "contact.claimed": EventType(
        "the act",
        ("team",),
        {"proof": _required(_choice("mail", "key")), "again": _flag, "address": _line, "fingerprint": _line},
    ),
    "contact.released": EventType("the act", ("team", "steward"), {"note": _text}),
    "desk.digest_chosen": EventType("the act", ("team", "steward"), _DIGEST),
    "desk.automatic_chosen": EventType("the act", ("team", "steward"), _TAKES),
    "team.merged": _pairing(),
    "team.split": _pairing(),
    "team.apart": _pairing(),
    "team.pairing_approved": _pairing(),
    "team.pairing_refused": _pairing(refused=True),
    "policy.approved": EventType("the act", _sender, _APPROVED),
    "policy.stopped": EventType("the act", _sender, _APPROVED),
    "workspace.renamed": EventType("the act", _sender, _RENAMED),
    "workspace.sending_allowed": EventType("the act", ("steward",), _ALLOWED),
    "workspace.sending_stopped": EventType("the act", ("steward",), _ALLOWED),
    "incident.created": EventType("the act", _sender, _REVISION | {"tlp": _required(_label)} | _INCIDENT),
    "incident.changed": EventType("the act", _sender, _REVISION | _INCIDENT_CHANGE | _INCIDENT),
    "sightings.recorded": EventType("the act", _sender, _WINDOW),
    "incident.closed": EventType("the act", _sender, _REVISION),
    "incident.reopened": EventType("the act", _sender, _REVISION),
    "event.corrected": EventType(
        "the act", ("sender", "recipient", "service"), {"event": _required(_ref), "why": _required(_text)},
    ),
    "classification.corrected": EventType(
        "the act", ("sender",),
        {
            "event": _required(_ref), "class": _required(_choice(*MAIL_CLASSES)),
            "subclass": _choice(*AUTOMATIC), "why": _text,
        },
    ),
    "event.redacted": EventType(
        "the act",
        ("service", "steward", "sender"),
        {
            "event": _required(_ref), "reason": _required(_choice("retention", "request", "order")),
            "note": _text,
        },
    ),
    "data.erased": EventType(
        "the act",
        ("service", "steward"),
        {
            "class": _required(_choice("assets", "messages", "letters", "mail", "person")), "count": _required(_many),
            "reason": _required(_choice("retention", "request", "order")), "person": _ref, "note": _text,
        },
    ),
}  # fmt: skip
