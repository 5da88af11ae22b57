"""Whether a step that falls due goes out by itself, or waits for a person, and why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

# No team is written to by itself more often, whoever asks: after an outage, and where many reports fall due at once.
APART = dt.timedelta(hours=1)
# What a defect raises: it must not stop the letters of others.
UNFORESEEN = (ArithmeticError, LookupError, TypeError, ValueError)
FORM_ONLY, ENCRYPTION = "web-form-only", "encryption"
# Refusals of what a person may do too, in the words of `escalation.step_held`.
REFUSED = {
    "people_at_risk": "people_at_risk", "key_needed": "key", "sends_used_up": "day_full",
    "sending_not_allowed": "not_allowed", "send_unavailable": "not_allowed", "send_not_email": "no_mail",
    "address_not_on_record": "no_mail", "thread_full": "thread_full", "owner_needed": "owner",
    "opted_out": "opted_out",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All that decides on it: the step, the report that it follows, and whom it goes to."""

    asks_owner: bool  # an owner of the workspace decides on this step
    is_over: bool  # the path had come to its end before anybody looked, or its next step had fallen due
    is_first: bool  # no earlier step waits for a person
    kind: str  # follow_up or referral
    classes: frozenset[str]  # of the report: class/type and class
    takes: Collection[str]  # what the team takes without a person's yes to each
    opt_outs: Collection[str]
    intake: Collection[str]
    by_mail: bool
    encrypted: bool | None  # None: not at all, under its label
    told_at: dt.datetime | None
    people_at_risk: bool
    is_closed: bool
    mail_waits: bool  # a mail about it came in, and nobody has said yet what it is
    over_other_channel: bool  # another letter to the same team is on its way


def held(standing: Standing, now: dt.datetime) -> str | None:
    """Why the step waits for a person (of vocabulary.HELD), the first that holds; None: it goes out by itself."""
    recent = standing.told_at is not None and now - standing.told_at < APART
    reasons = {
        "people_at_risk": standing.people_at_risk,
        "owner": standing.asks_owner,
        "closed": standing.is_closed,
        "late": standing.is_over,
        "mail_waits": standing.mail_waits,
        "earlier_step": not standing.is_first,
        "opted_out": not standing.classes.isdisjoint(standing.opt_outs) or standing.kind in standing.opt_outs,
        "no_consent": standing.kind not in standing.takes,
        "no_mail": not standing.by_mail or FORM_ONLY in standing.intake,
        "other_channel": standing.over_other_channel,
        "key": standing.encrypted is None or (ENCRYPTION in standing.intake and not standing.encrypted),
        "told_lately": recent,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)
