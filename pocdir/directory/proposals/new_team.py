"""A new team on a steward's word: at once, but for what of it no steward may enter alone."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from sqlalchemy.orm import Session

from pocdir.directory.actions import edits
from pocdir.directory.formats.records import TeamRecord
from pocdir.directory.proposals import queries
from pocdir.directory.proposals.actions import propose
from pocdir.directory.proposals.models import Proposal
from pocdir.directory.proposals.rules import STEWARD
from pocdir.directory.queries import entries
from pocdir.directory.queries.entries import EVERYBODY
from pocdir.directory.rules.office import Office


def enter_team(
    session: Session,
    *,
    record: TeamRecord,
    evidence: str,
    actor: str,
    person: str | None,
    office: Office,
    now: dt.datetime,
) -> tuple[str, Proposal | None]:
    """A new team on a steward's word, and the proposal of what of it one steward may not enter alone (None: nothing).

    That is for which codes it answers beside a team that has confirmed its entry. Raises as `create_team` and
    `propose` do.
    """
    later = [row for row in record.responsibilities if queries.is_second(session, row)]
    at_once = tuple(row for row in record.responsibilities if row not in later)
    slug = edits.create_team(
        session, record=replace(record, responsibilities=at_once), evidence=evidence, now=now, actor=actor
    )
    if not later:
        return slug, None
    entry = entries.entry(slug, audiences=EVERYBODY)
    wanted = queries.wanted(entry, {}, None, record.responsibilities)
    kept = propose(
        session, slug=slug, wanted=wanted, by=STEWARD, actor=actor, person=person, note=evidence, office=office,
        now=now,
    )  # fmt: skip
    return slug, kept
