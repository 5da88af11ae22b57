"""What a team says and chooses at its own desk."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from pocdir.core.errors import Invalid, Refusal
from pocdir.directory.proposals import queries as proposals
from pocdir.directory.proposals.actions import propose
from pocdir.directory.proposals.models import Proposal
from pocdir.directory.proposals.rules import OWN_WORDS, TEAM
from pocdir.directory.queries import entries
from pocdir.directory.rules.office import Office
from pocdir.ledger.actions import append
from pocdir.outreach.actions.bulk import Done
from pocdir.outreach.actions.recipient import answer
from pocdir.outreach.desk import queries as desk_queries
from pocdir.outreach.desk.models import Consent
from pocdir.outreach.desk.rules import TAKES
from pocdir.outreach.queries import notifications as queries
from pocdir.outreach.queries.notifications import Viewer
from pocdir.outreach.rules.posting import claim_of
from pocdir.outreach.rules.recipient import action

WORD = "S"  # what somebody here says that the team has said


def answer_many(
    session: Session,
    refs: Sequence[str],
    viewer: Viewer,
    *,
    choice: str,
    filled_in: Mapping[str, Any],
    now: dt.datetime,
    actor: str,
    by_word: bool = False,
) -> list[Done]:
    """Give one answer to many reports, in the order asked, each reference once; a refused one leaves nothing behind.

    `by_word`: the operator says it for the team, which no sign-in proves (S).

    A foreign report is refused like one that does not exist. Raises Invalid `action_unknown`.
    """
    chosen, done = action(choice), []
    own = queries.lock_own(refs, viewer, session)
    for ref in dict.fromkeys(refs):
        try:
            with session.begin_nested():
                row = queries.own_notification_to_change(ref, viewer, session, among=own)
                is_contact = queries.poster_of(viewer, row) == "contact"
                _who, assurance = claim_of(chosen.event, "contact" if is_contact else "")
                event = answer(
                    session, row, choice=choice, filled_in=filled_in, now=now, actor=actor,
                    **({"assurance": WORD, "via": "other"} if by_word else {"assurance": assurance}),
                )  # fmt: skip
            done.append(Done(ref, event.id, None))
        except Refusal as refusal:
            done.append(Done(ref, None, {"code": refusal.code, "detail": refusal.message}))
    return done


def choose_automatic(
    session: Session,
    team_id: int,
    takes: Iterable[str],
    *,
    now: dt.datetime,
    actor: str,
    by: str = TEAM,
    note: str | None = None,
) -> bool:
    """What a team takes without a person's yes to each letter (of TAKES; none: nothing); False: it stands already.

    `by`: the team itself, or a steward with its word, which the `note` then tells. What it says that it does not take
    at all it does not get by this either. Raises Invalid `note_needed`.
    """
    if by != TEAM and not note:
        raise Invalid("note_needed", "say who of the team said so, and when", where="note")
    chosen = [kind for kind in TAKES if kind in set(takes)]
    desk_queries.lock_team(team_id, session)
    standing = session.get(Consent, team_id, with_for_update=True)
    if (standing.takes if standing else []) == chosen:
        return False
    append(
        session, type="desk.automatic_chosen", now=now, actor=actor, claimed_by=by,
        team=desk_queries.slug_of(team_id), payload={"takes": chosen, "note": note},
    )  # fmt: skip
    kept = standing or Consent(team_id=team_id)
    kept.takes, kept.chosen_at, kept.chosen_by = chosen, now, actor
    session.add(kept)
    session.flush()
    return True


def say_of_itself(
    session: Session,
    slug: str,
    words: Mapping[str, Any],
    *,
    actor: str,
    person: str | None,
    office: Office,
    now: dt.datetime,
) -> Proposal | None:
    """What a team publishes of itself (OWN_WORDS): its own word, which takes effect at once. None: it stands already.

    Raises NotFound `team_unknown`, Conflict `proposals_open`.
    """
    entry = entries.entry(slug, audiences=entries.EVERYBODY)
    stands = entries.said(entry.team)
    differing = {name: words[name] for name in OWN_WORDS if name in words and words[name] != stands[name]}
    if not differing:
        return None
    return propose(
        session, slug=slug, wanted=proposals.wanted(entry, differing, None, None), by=TEAM, actor=actor, person=person,
        note=None, office=office, now=now,
    )  # fmt: skip
