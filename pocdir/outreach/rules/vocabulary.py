"""The event vocabulary of an outreach: one table of what may be recorded, by whom, in which words."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pocdir.core.errors import Forbidden, Invalid
from pocdir.core.refs import is_ref
from pocdir.core.times import duration, isoformat, moment
from pocdir.directory.rules import CHANNEL_KINDS

VERSION = 1
LONGEST_TEXT = 2_000
FIRST_YEAR, LAST_YEAR = 1990, 2200  # a pause moves a clock: its end must still be a date

NOTIFICATION_KINDS = ("report", "follow_up", "sample_request", "referral", "ping")
EXPECTED = ("acknowledgement", "sample", "remediation", "answer")
SENT_LEVELS = ("P0", "P1", "P2", "P3", "P4")
AUTOMATIC = ("receipt", "out_of_office", "other")
MAIL_CLASSES = ("bounce", "delay", "dsn_success", "mdn", "arf", "automatic", "human", "unrelated")
VIA = (*CHANNEL_KINDS, "page", "other")
TARGETS = ("same_team", "parent", "sector", "national", "regional", "global", "resolver")

# The forms a value may have. Only the first two are free words, and they are sealed wherever they stand: what
# a hand has typed is never plain.
TEXT, LINE, TOKEN, CHOICE, REF, TIME, DURATION, INTEGER, BOOLEAN = FORMS = (
    "text", "line", "token", "choice", "ref", "time", "duration", "integer", "boolean",
)  # fmt: skip
JSON_TYPES = dict.fromkeys(FORMS, "string") | {INTEGER: "integer", BOOLEAN: "boolean"}
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+-]{0,63}")


@dataclass(frozen=True, slots=True)
class Name:
    """One payload name. A sealed value is personal or TLP-bound: it is committed to, and may be erased."""

    form: str
    sealed: bool = False
    required: bool = False
    choices: tuple[str, ...] = ()
    bounds: tuple[int, int] = (0, 0)

    @property
    def json_type(self) -> str:
        """`string`, `integer` or `boolean`."""
        return JSON_TYPES[self.form]


@dataclass(frozen=True, slots=True)
class EventType:
    """What `occurred_at` means, who may claim it, its payload, and who may post it (none: the service)."""

    occurred_at: str
    claimed_by: tuple[str, ...]
    names: Mapping[str, Name]
    posted_by: tuple[str, ...] = ()


def _required(name: Name) -> Name:
    return replace(name, required=True)


def _choice(*choices: str) -> Name:
    return Name(CHOICE, choices=choices)


def _count(low: int, high: int) -> Name:
    return Name(INTEGER, bounds=(low, high))


_text, _line = Name(TEXT, sealed=True), Name(LINE, sealed=True)
_token, _ref, _time, _duration, _flag = (Name(form) for form in (TOKEN, REF, TIME, DURATION, BOOLEAN))
_many, _attempt, _step, _level = _count(0, 10_000_000), _count(1, 1_000), _count(1, 100), _count(1, 100)
_of, _kind, _via = _choice(*EXPECTED), _choice(*CHANNEL_KINDS, "other"), _choice(*VIA)

_MESSAGE = {"attempt": _attempt, "kind": _kind, "recipient": _line, "message_id": _line}
_MAIL = dict.fromkeys(("message_id", "from", "subject", "raw_date", "ticket"), _line) | {"rule": _token}
_ANSWER = {"ticket": _line, "note": _text, "via": _via, "may_be_automatic": _flag}
_ABOUT = {"expectation": _ref, "step": _step, "level": _level, "policy_version": _token}
_STEP = {
    "target": _choice(*TARGETS), "content": _choice("reference", "summary", "full"), "notification": _ref,
}  # fmt: skip
_CONTACT = {"kind": _required(_kind), "value": _required(_line), "note": _text}


def _delivery(action: str) -> EventType:
    names = {
        "attempt": _attempt, "recipient": _line, "action": _choice(action), "status": _token,
        "remote_mta": _line, "diagnostic": _text, "until": _time, "rule": _token,
    }  # fmt: skip
    return EventType(
        "the date of the delivery report", ("remote_mta", "sender", "service"), names, ("member",)
    )


def _answer(**names: Name) -> EventType:
    return EventType(
        "when the recipient did it", ("recipient", "sender"), _ANSWER | names, ("member", "contact")
    )


def _measured() -> EventType:
    names = {"count": _many, "all": _many, "method": _token, "note": _text}
    return EventType("the measurement", ("sender",), names, ("member",))


_sender, _service, _keepers = ("sender",), ("service",), ("team", "steward", "service")
VOCABULARY: Mapping[str, EventType] = {
    "notification.drafted": EventType("the act", _sender, {"note": _text}),
    "notification.approved": EventType("the act", _sender, {"note": _text}),
    "notification.logged": EventType(
        "when the sender says it was sent",
        _sender,
        {
            "kind": _choice(*NOTIFICATION_KINDS), "channel": _kind, "answer_asked": _flag, "language": _token,
            "assets": _many, "parent": _ref, "recipient": _line, "subject": _line, "body_digest": _line,
        },
    ),
    "notification.withdrawn": EventType(
        "the act",
        _sender,
        {"reason": _choice("mistake", "duplicate", "resolved", "superseded", "other"), "note": _text},
        ("member",),
    ),
    "message.queued": EventType("our queue took it", _service, _MESSAGE),
    "message.submitted": EventType(
        "the 250 of the server named by `hop`",
        _service,
        _MESSAGE | {"hop": _choice("relay", "recipient_mx"), "remote_mta": _line},
    ),
    "message.stale": EventType("it was given up unsent", _service, _MESSAGE | {"reason": _token}),
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
        ("member",),
    ),
    "reply.human": EventType(
        "the mail's date, bounded by our sending and our receipt",
        ("recipient", "sender"),
        _MAIL | {"note": _text, "via": _via, "may_be_automatic": _flag},
        ("member",),
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
    "outcome.remediation_observed": _measured(),
    "outcome.relapsed": _measured(),
    "expectation.set": EventType(
        "the clock's start",
        ("service", "sender"),
        {
            "of": _required(_of), "within": _required(_duration), "due_at": _time, "level": _level,
            "policy_version": _token,
        },
        ("member",),
    ),
    "expectation.changed": EventType(
        "the act",
        ("service", "sender"),
        {
            "expectation": _required(_ref), "state": _choice("met", "withdrawn"), "within": _duration,
            "due_at": _time, "level": _level, "policy_version": _token, "note": _text,
        },
        ("member",),
    ),
    "expectation.paused": EventType(
        "the act", ("service", "sender"), {"expectation": _ref, "note": _text}, ("member",)
    ),
    "expectation.resumed": EventType(
        "the act", ("service", "sender"), {"expectation": _ref, "due_at": _time, "note": _text}, ("member",)
    ),
    "expectation.lapsed": EventType(
        "due_at: when it fell due, whenever it was written down",
        ("clock",),
        {
            "expectation": _required(_ref), "of": _required(_of), "due_at": _required(_time),
            "level": _required(_level), "sent_level": _choice(*SENT_LEVELS), "policy_version": _token,
        },
    ),
    "escalation.step_due": EventType("due_at", ("clock",), _ABOUT | {"target": _choice(*TARGETS)}),
    "escalation.step_taken": EventType(
        "the act",
        ("clock", "sender"),
        _ABOUT | _STEP,
    ),
    "escalation.step_skipped": EventType(
        "the act", ("clock", "sender"), _ABOUT | {"reason": _required(_token), "note": _text}
    ),
    "escalation.no_working_contact": EventType("when none was left to write to", ("clock",), _ABOUT),
    "escalation.exhausted": EventType("when the last step was behind us", ("clock",), _ABOUT),
    "reminder.sent": EventType(
        "our server's 250", _service, _MESSAGE | {"to": _choice("sender", "recipient")}
    ),
    "ping.sent": EventType("our server's 250", _service, _MESSAGE),
    "contact.confirmed": EventType("the evidence", _keepers, _CONTACT | {"via": _via}),
    "contact.marked_bouncing": EventType("the evidence", _keepers, _CONTACT | {"status": _token}),
    "contact.changed": EventType("the evidence", _keepers, _CONTACT | {"former": _line}),
    "event.corrected": EventType(
        "the act",
        ("sender", "recipient"),
        {"event": _required(_ref), "why": _required(_text)},
        ("member", "contact"),
    ),
    "classification.corrected": EventType(
        "the act",
        ("sender",),
        {
            "event": _required(_ref), "class": _required(_choice(*MAIL_CLASSES)),
            "subclass": _choice(*AUTOMATIC), "why": _text,
        },
        ("member",),
    ),
    "event.redacted": EventType(
        "the act",
        ("service", "steward", "sender"),
        {
            "event": _required(_ref), "reason": _required(_choice("retention", "request", "order")),
            "note": _text,
        },
    ),
}  # fmt: skip
# Who posts -> how the ledger names the claim, and what it is worth (A5: signed in).
_POSTERS = {"member": ("sender", "S"), "contact": ("recipient", "A5")}


def event_type(type_: str) -> EventType:
    """The vocabulary's entry; raises Invalid `event_unknown`."""
    known = VOCABULARY.get(type_)
    if known is None:
        raise Invalid("event_unknown", f"{type_[:60]!r} is no event of this service", where="type")
    return known


def claim_of(type_: str, poster: str) -> tuple[str, str]:
    """(claimed_by, assurance) for an event posted by a `member` of the workspace or a `contact` of the team.

    Raises Invalid `event_unknown`, Forbidden `event_not_yours`.
    """
    if poster not in event_type(type_).posted_by:
        raise Forbidden("event_not_yours", f"{type_} is not yours to record", where="type")
    return _POSTERS[poster]


def check_event(type_: str, payload: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(plain, sealed) values of a payload, times in one spelling, names without a value left out.

    Raises Invalid `event_unknown` or `payload_invalid`; `where` is the first name at fault (`payload.to`),
    and `errors` has them all.
    """
    names = event_type(type_).names
    if not isinstance(payload, Mapping):
        raise _refused({"payload": ["an object is needed"]})
    errors: dict[str, list[str]] = {}
    plain: dict[str, Any] = {}
    sealed: dict[str, Any] = {}
    for key in payload:
        if key not in names:
            errors[f"payload.{str(key)[:60]}"] = [f"{type_} has no such name"]
    for key, name in names.items():
        value = payload.get(key)
        try:
            if value is not None:
                (sealed if name.sealed else plain)[key] = _value(name, value)
            elif name.required:
                raise ValueError("this is needed")
        except (ValueError, Invalid) as refused:
            errors[f"payload.{key}"] = [str(refused)]
    if errors:
        raise _refused(errors)
    return plain, sealed


def occurred(occurred_at: dt.datetime, precision: str, *, sent_at: dt.datetime) -> dt.datetime:
    """When it is taken to have happened: of the day of sending only the part after it.

    Raises Invalid `event_before_sending`.
    """
    if occurred_at >= sent_at:
        return occurred_at
    if precision == "day" and sent_at - occurred_at < dt.timedelta(days=1):
        return sent_at
    raise Invalid(
        "event_before_sending", f"the notification was sent at {isoformat(sent_at)}", where="occurred_at"
    )


def _refused(errors: dict[str, list[str]]) -> Invalid:
    where, messages = next(iter(errors.items()))
    return Invalid("payload_invalid", messages[0], where=where, errors=errors)


def _value(name: Name, value: Any) -> Any:
    """The value as it is kept; raises ValueError, or Invalid of a time or a duration."""
    if name.form == BOOLEAN:
        if not isinstance(value, bool):
            raise ValueError("true or false is needed")
        return value
    if name.form == INTEGER:
        return _integer(value, *name.bounds)
    if not isinstance(value, str):
        raise ValueError("a string is needed")
    if name.form in (TEXT, LINE):
        return words(value, lines=name.form == TEXT)
    if name.form == CHOICE and value not in name.choices:
        raise ValueError(f"one of {', '.join(name.choices)} is needed")
    if name.form == TOKEN and not _TOKEN.fullmatch(value):
        raise ValueError("up to 64 of A-Z a-z 0-9 _ . : + - are allowed, the first a letter or digit")
    if name.form == REF and not is_ref(value):
        raise ValueError("a reference of this service is needed")
    if name.form == TIME:
        return isoformat(_moment(value))
    if name.form == DURATION:
        duration(value)
        return value.strip()
    return value


def _moment(value: str) -> dt.datetime:
    read = moment(value)
    if not FIRST_YEAR <= read.year <= LAST_YEAR:
        raise ValueError(f"a year from {FIRST_YEAR} to {LAST_YEAR} is needed")
    return read


def _integer(value: Any, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("a whole number is needed")
    if not low <= value <= high:
        raise ValueError(f"from {low:,} to {high:,}")
    return value


def words(value: str, *, lines: bool) -> str:
    """Words of a person: line breaks in one spelling, no other control character, nothing that is no text."""
    text = value.replace("\r\n", "\n").strip() if lines else value.strip()
    if not text:
        raise ValueError("say something, or leave it out")
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"at most {LONGEST_TEXT:,} characters, these are {len(text):,}")
    allowed = "\n\t" if lines else ""
    # Cc: control characters, Cs: halves of surrogate pairs, Zl and Zp: line breaks that do not look like one.
    unfit = ("Cc", "Cs") if lines else ("Cc", "Cs", "Zl", "Zp")
    if any(unicodedata.category(sign) in unfit and sign not in allowed for sign in text):
        raise ValueError("control characters are not allowed")
    return text
