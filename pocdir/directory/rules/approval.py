"""How many stewards a change of an entry needs, and when it takes effect: the one four-eyes rule."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

# What of an entry changes; `nation`: it becomes national; `code`: it would answer for a code beside a team that has
# confirmed its entry and answers for it, or such a team would answer otherwise than it does.
ADDRESS, KEY, KIND, NATION, CODE, OTHER = WHAT = ("address", "key", "kind", "nation", "code", "other")
NATIONAL = "national"
# Who may take the kind away from a national team would unlock its address by it.
GUARDED = frozenset({ADDRESS, KEY, KIND, NATION, CODE})
# The kinds of letter that tell of it: on no page is one taken back, or said to be sent where a relay sends.
NOTICES = frozenset({"proposal_notice", "key_notice", "merge_notice", "change_notice", "address_notice"})
DELAY = dt.timedelta(hours=72)
NO_DELAY = dt.timedelta(0)


@dataclass(frozen=True, slots=True)
class Whole:
    """What the rule has to know of a team: of it and of every entry that is part of it, together."""

    own_kind: str
    kinds: frozenset[str] = frozenset()  # of all of these entries; national too where one answers for a code
    answered: bool = False  # somebody of it has once confirmed or claimed it, whatever became of that
    keyed: bool = False  # an OpenPGP key was pinned for it once, or waits for that

    @property
    def kind(self) -> str:
        """National where one of its entries is, or where it answers for a code, else its own."""
        return NATIONAL if NATIONAL in self.kinds else self.own_kind

    def kind_for(self, what: Collection[str]) -> str:
        """The kind of team as which a change of `what` (of WHAT) is judged.

        What one steward has keyed, or the team itself has confirmed, nobody alone makes national.
        """
        becomes = NATION in what and (self.answered or self.keyed)
        return NATIONAL if becomes else self.kind

    def must_be_proposed(self, what: Collection[str]) -> bool:
        """Whether one steward may not enter a change of `what` alone.

        Of a lead that no team has answered for, a steward corrects the address alone: four eyes protect what stands
        firm. The kind, which keeps the rest, nobody takes away alone, nor who answers for a code of a confirmed team.
        """
        firm = self.answered or self.keyed or not {KIND, CODE}.isdisjoint(what)
        return firm and is_guarded(self.kind_for(what), what)


@dataclass(frozen=True, slots=True)
class Approval:
    """What a change needs: so many stewards who did not propose it, and so long after its notice."""

    eyes: int
    delay: dt.timedelta = NO_DELAY
    notice: bool = False  # to every address on record, when it is proposed


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a change takes effect: `effective_at` has come, or why it still waits."""

    needed: Approval
    missing: int  # stewards
    not_before: dt.datetime  # the end of the delay, known before everybody has approved
    effective_at: dt.datetime | None  # None: stewards are missing; in the future: only the delay is

    def begins(self, told: bool) -> bool:
        """Whether the delay begins now: it is asked for, and the notice (`told`) said that two stewards decide.

        So it is where one steward is left while the change waits.
        """
        return bool(self.needed.delay) and not told

    def is_due(self, now: dt.datetime) -> bool:
        """Whether it may be applied now."""
        return self.effective_at is not None and self.effective_at <= now


def is_guarded(team_kind: str, what: Collection[str]) -> bool:
    """Whether four eyes are asked for: the address or key of a national point of contact, or its being one.

    `team_kind` is that of the whole team (Whole.kind, Whole.kind_for). Who answers for a code is guarded whatever kind
    comes: it is the national point of contact there that reports would pass by.
    """
    return CODE in what or (team_kind == NATIONAL and not GUARDED.isdisjoint(what))


def needed(
    team_kind: str, what: Collection[str], stewards: AbstractSet[str], proposer: str | None = None
) -> Approval:
    """What a change of `what` (of WHAT) in the entry of a team of this kind (as it stands) needs.

    `stewards` and `proposer` are refs of people. A national point of contact's address or key: two different
    stewards, neither of them the proposer; where there is one steward alone, the notice and 72 hours beside that
    one. Everything else: one steward. A steward who is alone approves nobody's own proposal: none is needed then.
    """
    others = len(stewards - {proposer})
    one = 0 if others == 0 and proposer in stewards else 1
    if not is_guarded(team_kind, what):
        return Approval(one)
    return Approval(2, notice=True) if others >= 2 else Approval(one, DELAY, notice=True)


def decide(
    *,
    team_kind: str,
    what: Collection[str],
    stewards: AbstractSet[str],
    proposer: str | None,
    approvals: Mapping[str, dt.datetime],
    proposed_at: dt.datetime,
) -> Decision:
    """What a change still needs, or when it takes effect, from who approved it when (refs of people).

    Counted are those who are stewards now and are not the proposer. The delay runs from `proposed_at`, when the
    notice went out, and not from an approval.
    """
    asked = needed(team_kind, what, stewards, proposer)
    counted = sorted(at for ref, at in approvals.items() if ref in stewards and ref != proposer)
    not_before = proposed_at + asked.delay
    missing = max(0, asked.eyes - len(counted))
    if missing:
        return Decision(asked, missing, not_before, None)
    last = counted[asked.eyes - 1] if asked.eyes else proposed_at
    return Decision(asked, 0, not_before, max(last, not_before))
