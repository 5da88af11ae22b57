"""The researcher's old spreadsheet becomes notifications and events; brought again, it adds what is new in it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from pocdir.core import tlp
from pocdir.core.errors import Conflict, Refusal
from pocdir.core.text import Phrase
from pocdir.core.times import isoformat
from pocdir.incidents.models import Incident
from pocdir.outreach.actions.notifications import NewNotification, log_notification, record_event
from pocdir.outreach.queries import notifications as queries
from pocdir.outreach.queries.spreadsheet import Matched, key_scope
from pocdir.outreach.rules.spreadsheet import Refused, channel_kind


@dataclass(frozen=True, slots=True)
class LineResult:
    """What becomes of one line: `new`, `gains` (known, and adds the `events`), `known` or `refused`."""

    line: int
    contact: str
    result: str
    team: str | None = None
    sent_at: dt.datetime | None = None
    precision: str | None = None  # of sent_at
    events: tuple[str, ...] = ()  # that the line adds
    message: str = ""
    ref: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The result as a program reads it."""
        return asdict(self) | {
            "sent_at": isoformat(self.sent_at) if self.sent_at else None,
            "events": list(self.events),
        }


def expected(lines: Iterable[Matched | Refused], *, incident: Incident | None = None) -> list[LineResult]:
    """What bringing these lines would do. No line is lost: what is refused says why."""
    return [_expected(line, incident) for line in lines]


def import_spreadsheet(
    session: Session,
    lines: Sequence[Matched | Refused],
    *,
    workspace_id: int,
    now: dt.datetime,
    actor: str,
    incident: Incident | None = None,
) -> list[LineResult]:
    """Log what is new in the lines; each line's result. Brought again, or by two at once, nothing counts twice.

    `lines` were matched before the transaction. Raises Conflict `incident_closed`.
    """
    if incident is not None and incident.closed_at is not None:
        raise Conflict("incident_closed", "the incident is closed; reopen it first", where="incident")
    queries.lock_threads([line.ref for line in lines if isinstance(line, Matched) and line.ref], session)
    results = []
    for line, result in zip(lines, expected(lines, incident=incident), strict=True):
        if isinstance(line, Refused) or result.result not in ("new", "gains"):
            results.append(result)
            continue
        try:
            with session.begin_nested():  # of a line that is refused nothing stays
                ref = _write(session, line, workspace_id, now, actor, incident)
            results.append(replace(result, ref=ref))
        except Refusal as refusal:
            results.append(replace(result, result="refused", events=(), message=refusal.message))
    return results


def tally(results: Iterable[LineResult]) -> dict[str, int]:
    """How many lines are new, gain something (an answer, a bounce), are known, are refused; events added."""
    counts = dict.fromkeys(("new", "gains", "answers", "bounces", "known", "refused", "events"), 0)
    for each in results:
        counts[each.result] += 1
        counts["events"] += len(each.events)
        if each.result == "gains":
            counts["answers"] += "ack.given" in each.events
            counts["bounces"] += "delivery.failed" in each.events
    return counts


def _expected(line: Matched | Refused, incident: Incident | None) -> LineResult:
    if isinstance(line, Refused):
        return LineResult(line.line, line.contact, "refused", message=_why(line))
    row = line.row
    result = LineResult(row.line, row.contact, "new", line.team, row.sent_at, row.precision, ref=line.ref)
    if line.team is None:
        return replace(result, result="refused", message=_no_team(line))
    if line.is_known:
        result = replace(result, result="gains" if line.facts else "known")
    return replace(result, events=tuple(fact.type for fact in line.facts), message=_remark(line, incident))


def _remark(line: Matched, incident: Incident | None) -> str:
    """What the user should know of a line that is not refused."""
    said = []
    if line.twin is not None and line.ref is None:
        said.append(Phrase("the same as line %(line)s", line=str(line.twin)))
    if line.note and line.is_known and not _takes_note(line):
        said.append(Phrase("its note is not recorded: add it to the notification by hand"))
    elif line.note and not line.is_known and incident is not None and incident.tlp == tlp.RED:
        said.append(Phrase("its note is not recorded: TLP:RED stays out of the record"))
    return said[0] if len(said) == 1 else "; ".join(said)


def _write(
    session: Session,
    line: Matched,
    workspace_id: int,
    now: dt.datetime,
    actor: str,
    incident: Incident | None,
) -> str:
    row = line.row
    ref = line.ref or log_notification(
        session,
        NewNotification(
            team=line.team or "",
            channel=(channel_kind(row.contact), row.contact),
            sent_at=row.sent_at,
            precision=row.precision,
            subject=row.title,
            note=row.note,
        ),
        workspace_id=workspace_id, now=now, actor=actor, incident=incident, key=line.key,
    )  # fmt: skip
    if not line.facts:
        return ref
    notification = queries.notification_to_change(ref, session)
    assert notification is not None  # noqa: S101 - logged above, or found under the workspace's own key
    for fact in line.facts:
        takes_note = line.is_known and fact.type == "ack.given" and line.note
        record_event(
            session, notification, type=fact.type, payload={"note": line.note} if takes_note else {},
            occurred_at=fact.at, precision=fact.precision, now=now, actor=actor, claimed_by="sender",
            assurance="S", scope=key_scope(workspace_id), key=fact.key,
        )  # fmt: skip
    return ref


def _takes_note(line: Matched) -> bool:
    """A known line's note goes beside the answer that it gains."""
    return any(fact.type == "ack.given" for fact in line.facts)


def _no_team(line: Matched) -> str:
    if line.others:
        return Phrase(
            "several teams have this address (%(teams)s); name it in a column `team`",
            teams=", ".join(line.others[:5]),
        )
    return Phrase("no team in the directory has this address or name; name it in a column `team`")


def _why(refused: Refused) -> str:
    if refused.column is None:
        return refused.reason
    return f"{refused.column}: {refused.reason}"
