"""A made world around a real directory: teams that answer or do not, lists that change, a steward with a phone.

Everything that the service does, its own jobs and actions do, with a clock that is moved; only what people, mail
servers and lists do is made up here, from a seed.
"""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from sqlalchemy import select

from pocdir.core.codes import ALL_CODES
from pocdir.core.errors import Conflict, Invalid, NotFound, Stale
from pocdir.core.refs import new_ref
from pocdir.db import db, transaction
from pocdir.directory.actions.edits import edit_team
from pocdir.directory.actions.marking import mark_address
from pocdir.directory.checks import actions as checks
from pocdir.directory.checks.jobs import note_letters
from pocdir.directory.checks.letters import link_token
from pocdir.directory.checks.models import Check
from pocdir.directory.formats.records import ChannelRecord
from pocdir.directory.office import office
from pocdir.directory.proposals import actions as proposals
from pocdir.directory.proposals import queries as proposed
from pocdir.directory.proposals.models import Proposal
from pocdir.directory.quarantine.actions import decide
from pocdir.directory.quarantine.queries import waiting
from pocdir.directory.queries import entries
from pocdir.directory.rules.steward import Waiting
from pocdir.mail import actions as outbox
from pocdir.mail.models import Mail
from pocdir.site.queries.steward import desk
from pocdir.worker import JOBS
from tests.accounts import made as people
from tests.directory import made

DAY, HOUR, MINUTE = dt.timedelta(days=1), dt.timedelta(hours=1), dt.timedelta(minutes=1)
LISTS = ("one list", "another list")
ZONES = ("Europe/Vienna", "Asia/Tokyo", "America/Lima", "Africa/Nairobi", "Pacific/Auckland", None)
OTHER_KINDS = ("governmental", "sectoral", "academic", "provider", "vendor", "regional")


@dataclass
class Desk:
    """A team as it is in the world: what is true of it, whatever the directory says."""

    slug: str
    name: str
    kind: str
    country: str | None
    zone: str | None
    mailbox: str
    answers: float  # the chance that somebody answers a letter
    lists: tuple[str, ...]
    website: str = ""
    shown: dict[str, str] = field(default_factory=dict)  # the address that each list gives

    @property
    def teams_row(self) -> dict[str, Any]:
        return {"name": self.name, "kind": self.kind, "country": self.country, "timezone": self.zone}


class World:
    """Teams, lists, stewards, and everything that happens to them on a day."""

    def __init__(self, app: Flask, *, teams: int, seed: int, start: dt.datetime) -> None:
        self.app, self.start, self.now, self.chance = app, start, start, random.Random(seed)
        self.desks = {it.slug: it for it in self._made(teams)}
        self.dead: set[str] = set()  # mailboxes that bounce, known to the mail servers alone
        self.coming: list[tuple[dt.datetime, Callable[[], None]]] = []
        self.acted: Counter[str] = Counter()  # of stewards, by kind
        self.weeks: list[int] = []
        self.tried: dict[tuple[str, str | None, str], dt.datetime] = {}
        self.stewards = [
            people.person(f"{name}@example.org", now=start, site_role="steward") for name in ("anna", "ben")
        ]

    def _made(self, teams: int) -> Iterator[Desk]:
        codes = sorted(ALL_CODES)
        self.chance.shuffle(codes)
        nationals = min(len(codes), teams * 3 // 10)
        for n in range(teams):
            kind = "national" if n < nationals else self.chance.choice(OTHER_KINDS)
            lists = tuple(it for it in LISTS if self.chance.random() < 0.7) or LISTS[:1]
            name = f"{kind.title()} Team {n}"
            yield Desk(
                slug=f"team-{n}",
                name=name,
                kind=kind,
                country=codes[n % len(codes)] if kind == "national" else self.chance.choice(codes),
                zone=self.chance.choice(ZONES),
                mailbox=f"desk@team-{n}.example",
                answers=self.chance.betavariate(3, 2)
                if kind == "national"
                else self.chance.betavariate(2, 2),
                lists=lists,
                website=f"https://team-{n}.example/",
                shown=dict.fromkeys(lists, f"desk@team-{n}.example"),
            )

    # A day

    def day(self, number: int) -> None:
        """What happens on a day: the worker goes round, letters leave, people answer, lists are imported, mail dies."""
        self.now = self.start + (number + 1) * DAY
        self.work()
        self.now += HOUR
        self.post()
        note_letters(self.now)
        self.now += HOUR
        for at, happens in [it for it in self.coming if it[0] <= self.now]:
            self.coming.remove((at, happens))
            self.now += MINUTE  # of two events at one moment nobody can say which came first
            happens()
        self.mailboxes_die()
        self.now += HOUR
        if number % 7 == 0:
            self.import_lists(number // 7)
            self.somebody_proposes()
        if number % 7 == 4:
            self.steward_works()

    def work(self) -> int:
        """Every job of the worker, once."""
        self.app.extensions.pop("pocdir.checks_looked_at", None)
        return sum(job(self.now) for job in JOBS)

    def post(self) -> None:
        """Our relay takes what waits; behind it mailboxes are dead, or somebody reads them."""
        while True:
            with transaction() as session:
                mail = outbox.claim(session, now=self.now, lease=HOUR)
                if mail is None:
                    return
                outbox.mark_sent(session, ref=mail.ref, now=self.now)
                to, ref, kind = mail.to, mail.notification, mail.kind
            if to in self.dead:
                self.coming.append((self.now + DAY, lambda to=to: self.bounce(to)))
            elif kind.startswith(("confirmation", "ping")) and ref:
                self.somebody_reads(to, ref)

    def somebody_reads(self, to: str, ref: str) -> None:
        slug = to.split("@")[1].removesuffix(".example").removeprefix("new-")
        team = self.desks.get(slug)
        if team is None or self.chance.random() > team.answers:
            return
        later = self.now + dt.timedelta(days=min(40.0, self.chance.lognormvariate(0.7, 1.0)))
        self.coming.append((later, lambda: self.answer(ref)))

    def answer(self, ref: str) -> None:
        """A person opens the link and presses its buttons."""
        check = db.session.scalar(select(Check).where(Check.ref == ref))
        assert check is not None
        token, kind = link_token(check), check.kind
        try:
            with transaction() as session:
                mine = checks.addressed(session, token, secret=office().secret, now=self.now)
                checks.refuse_machines(mine, self.now)
                if kind == "ping" and self.chance.random() < 0.1:
                    checks.choose_tests(session, mine, wanted=False, office=office(), now=self.now)
                elif kind == "ping":
                    level = self.chance.choice((3, 4, 5))
                    checks.answer_test(session, mine, level=level, now=self.now)
                else:
                    checks.confirm(
                        session, slug=mine.team.slug, kind="email", value=mine.address.value, via="page",
                        now=self.now, actor="recipient", assurance="A2", check=mine,
                    )  # fmt: skip
        except (NotFound, Conflict, Stale):
            return  # the address went meanwhile; they saw a page that says so

    def bounce(self, to: str) -> None:
        with transaction() as session:
            mark_address(
                session, kind="email", value=to, state="bouncing", evidence="5.1.1", now=self.now,
                actor="service", claimed_by="service",
            )  # fmt: skip

    def mailboxes_die(self) -> None:
        """One in twenty-five a year: the team has another one then, which no list knows yet."""
        for team in self.desks.values():
            if self.chance.random() < 0.04 / 365:
                self.dead.add(team.mailbox)
                team.mailbox = f"desk{len(self.dead)}@{team.slug}.example"

    # Lists

    def import_lists(self, week: int) -> None:
        for n, name in enumerate(LISTS):
            if week % 2 != n:
                continue
            if week % 26 == 12 + n:  # half of the list is missing; next week it is whole again
                self.import_list(name, [it for it in self._of(name) if self.chance.random() < 0.4])
            else:
                self._lists_change(name)
                self.import_list(name, self._of(name))

    def _of(self, name: str) -> list[Desk]:
        return [it for it in self.desks.values() if name in it.lists]

    def _lists_change(self, name: str) -> None:
        for team in self._of(name):
            if self.chance.random() < 0.004:
                team.website = f"https://{team.slug}.example/{self.now.date()}"
            if team.shown[name] != team.mailbox and self.chance.random() < 0.02:
                team.shown[name] = team.mailbox  # the list has heard of the new address
            elif self.chance.random() < 0.0003:
                team.shown[name] = f"old{self.chance.randrange(9)}@{team.slug}.example"  # or of a wrong one

    def import_list(self, name: str, teams: list[Desk]) -> None:
        rows = [
            made.team_json(
                it.slug,
                **it.teams_row,
                website=it.website,
                channels=[made.channel(it.shown[name])],
                responsibilities=(
                    [made.responsibility("country", it.country)]
                    if it.kind == "national" and it.country
                    else []
                ),
            )
            for it in teams
        ]
        source = {"name": name, "url": f"https://{name.split()[0]}.example/", "date": str(self.now.date())}
        made.imported(made.file(*rows, source=source), now=self.now)

    # People

    def somebody_proposes(self) -> None:
        """A team's staff says what is right: a new website, or the mailbox that the lists do not know."""
        for team in self.chance.sample(sorted(self.desks.values(), key=lambda it: it.slug), 1):
            if self.chance.random() < 0.7:
                wanted: dict[Any, Any] = {("fact", "website"): {"value": f"https://www.{team.slug}.example/"}}
                if self.chance.random() < 0.3:
                    wanted = {
                        ("channel", "email", team.mailbox, "incident"): {
                            "preference": 1, "audience": "public", "openpgp_fingerprint": None, "hours": None,
                        }
                    }  # fmt: skip
                try:
                    with transaction() as session:
                        proposals.propose(
                            session, slug=team.slug, wanted=wanted, by="team", actor=f"user:{new_ref(self.now)}",
                            person=new_ref(self.now), note="our own", office=office(), now=self.now,
                        )  # fmt: skip
                except (Invalid, Conflict, NotFound):
                    continue

    def steward_works(self) -> None:
        """Once a week all that stands on the desk, each thing one act; what was tried is not tried again at once."""
        before = self.acted.total()
        for item in desk(self.now):
            self.now += MINUTE
            handle = getattr(self, f"_{item.kind.removesuffix('_national')}")
            if handle(item):
                self.acted[item.kind] += 1
        self.weeks.append(self.acted.total() - before)

    def _tries(self, item: Waiting, days: int) -> bool:
        """Whether a steward takes it up: not again before so many days have passed."""
        key = (item.kind, item.slug, item.where)
        last = self.tried.get(key)
        if last is not None and self.now - last < days * DAY:
            return False
        self.tried[key] = self.now
        return True

    def _bouncing(self, item: Waiting) -> bool:
        """Look for the new address, every four weeks until it is found."""
        if not self._tries(item, 28):
            return False
        team = self.desks[item.slug or ""]
        if self.chance.random() < 0.6:
            with transaction() as session:
                entry = entries.entry(team.slug, audiences=entries.EVERYBODY)
                live = [it for it in entry.channels if it.state != "bouncing"]
                channels = [ChannelRecord(it.kind, it.value, it.purpose, it.preference) for it in live]
                found = ChannelRecord("email", team.mailbox, "incident", 1)
                if found.value not in {it.value for it in live}:
                    channels.append(found)
                edit_team(
                    session, slug=team.slug, channels=channels, evidence="called them", now=self.now,
                    actor=f"user:{self.stewards[0].ref}",
                )  # fmt: skip
        return True

    _unreachable = _bouncing

    def _not_confirmed(self, item: Waiting) -> bool:
        """Call them once; whoever answers the phone confirms."""
        if not self._tries(item, 60):
            return False
        if self.chance.random() < 0.5 and item.what:
            with transaction() as session:
                checks.confirm(
                    session, slug=item.slug or "", kind="email", value=item.what, via="phone", now=self.now,
                    actor=f"user:{self.stewards[0].ref}", claimed_by="steward", evidence="called them",
                )  # fmt: skip
        return True

    def _quarantine(self, item: Waiting) -> bool:
        """Look at the import: accept what it says of each team, or refuse where the list lost half of itself."""
        refs = waiting.refs_of(item.where.rsplit("/", 1)[1])
        with transaction() as session:
            told = {"refs": refs, "now": self.now, "actor": f"user:{self.stewards[0].ref}"}
            if len(refs) > 20:
                decide.refuse(session, note="half of it is missing", **told)
            else:
                decide.accept(session, mail_domain="pocdir.example", **told)
        return True

    def _proposal(self, item: Waiting) -> bool:
        ref = item.where.rsplit("/", 1)[1]
        for steward in self.stewards:
            kept = proposed.proposal(ref)
            if kept.state == "open":
                with transaction() as session:
                    proposals.approve(
                        session, ref=ref, revision=kept.revision, actor=f"user:{steward.ref}", person=steward.ref,
                        office=office(), now=self.now,
                    )  # fmt: skip
                self.acted["proposal"] += steward is not self.stewards[0]
        return True


def letters_about_entries() -> dict[str, list[dt.datetime]]:
    """When each team was written to about its own entry: by slug, letters that left or wait."""
    kinds = ("confirmation", "confirmation_reminder", "ping", "ping_reminder", "key_expiry")
    chosen = select(Mail.team, Mail.created_at).where(
        Mail.kind.in_(kinds), Mail.state.in_(("sent", "queued"))
    )
    found: dict[str, list[dt.datetime]] = {}
    for slug, at in db.session.execute(chosen.order_by(Mail.created_at)):
        found.setdefault(slug or "", []).append(at)
    return found


def open_proposals() -> list[Proposal]:
    return list(db.session.scalars(select(Proposal).where(Proposal.state == "open")))
