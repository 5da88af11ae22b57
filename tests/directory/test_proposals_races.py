"""Two who decide at once about one entry: nothing is entered twice, nothing over what has changed meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable

from flask import Flask

from pocdir.core.errors import Refusal
from pocdir.db import db
from pocdir.directory.proposals import jobs
from tests.accounts.made import person
from tests.conftest import NOW
from tests.directory import made
from tests.directory.proposing import NEW, addresses, agreed, contact, edited, kept, proposed, types
from tests.directory.test_proposals import HOUR


def together(app: Flask, *acts: Callable[[], object]) -> list[Refusal]:
    """Each over a connection of its own, at the same moment; what was refused."""
    barrier, refused, failed = threading.Barrier(len(acts)), [], []

    def run(act: Callable[[], object]) -> None:
        with app.app_context():
            try:
                barrier.wait(timeout=30)
                act()
            except Refusal as refusal:
                refused.append(refusal)
            except BaseException as error:
                failed.append(error)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failed == []
    return refused


def test_two_approvals_at_once_enter_it_once(app: Flask) -> None:
    made.imported(made.file(made.team_json()))
    anna, ben = (person(f"{name}@example.org", now=NOW, site_role="steward").ref for name in ("anna", "ben"))
    ref = proposed("cert-example", contact("cert-example"), channels=[made.channel(NEW)])
    db.session.remove()
    assert together(app, lambda: agreed(ref, anna), lambda: agreed(ref, ben)) == []
    assert kept(ref).state == "applied"
    assert addresses("cert-example") == [NEW]
    assert types("cert-example").count("contact.changed") == 2, "the import, and this"


def test_the_same_approval_twice_at_once_counts_once(app: Flask) -> None:
    made.imported(made.file(made.team_json()))
    anna, _ben = (person(f"{name}@example.org", now=NOW, site_role="steward").ref for name in ("anna", "ben"))
    ref = proposed("cert-example", contact("cert-example"), channels=[made.channel(NEW)])
    db.session.remove()
    assert together(app, lambda: agreed(ref, anna), lambda: agreed(ref, anna)) == []
    assert (kept(ref).state, len(kept(ref).approvals)) == ("open", 1)
    assert types("cert-example").count("contact.approved") == 1


def test_an_approval_while_the_entry_changes_enters_it_before_or_not_at_all(app: Flask) -> None:
    made.imported(made.file(made.team_json()))
    anna = person("anna@example.org", now=NOW, site_role="steward").ref
    for turn in range(5):
        url = f"https://new{turn}.example/"
        ref = proposed("cert-example", contact("cert-example", f"a{turn}@b.example"), facts={"website": url})
        db.session.remove()
        theirs = {"website": f"https://other{turn}.example/"}
        together(app, lambda: agreed(ref, anna), lambda: edited("cert-example", facts=theirs))  # noqa: B023
        it = kept(ref)
        if it.state == "open":  # the edit came first: shown anew against it
            assert it.changes[0]["before"] == {"value": theirs["website"]}
            assert it.revision == 2
            agreed(ref, anna, revision=2)
        assert kept(ref).state == "applied"


def test_two_workers_enter_what_is_due_once(app: Flask) -> None:
    made.imported(made.file(made.team_json(channels=[made.channel(), made.channel("b@cert.example")])))
    anna = person("anna@example.org", now=NOW, site_role="steward").ref
    ref = proposed("cert-example", contact("cert-example"), channels=[made.channel(NEW)])
    agreed(ref, anna)
    db.session.remove()
    later = NOW + 73 * HOUR
    entered: list[int] = []
    together(app, *(lambda: entered.append(jobs.enter_due(later)) for _ in range(2)))
    assert sum(entered) == 1
    assert addresses("cert-example") == [NEW]
