"""An address and a name in one question: two destinations, apart."""

from __future__ import annotations

import pytest

from pocdir.core.errors import Invalid
from pocdir.routing.rules.destinations import destinations, mailboxes, told
from pocdir.routing.rules.index import Index
from pocdir.routing.rules.question import question
from tests.routing.directories import TODAY, directory, mailbox, prefix, row, slugs, team

KNOWN = Index.build(
    directory(
        team("host", prefix("203.0.113.0/24")),
        team("carrier", prefix("203.0.0.0/16")),
        team("owner", row("domain", "clinic.example")),
    ),
    None,
)
ASKED = question(KNOWN, on=TODAY, country_by="registered")


def test_host_and_owner_are_answered_apart() -> None:
    found = destinations(KNOWN, ASKED, ip="203.0.113.70", domain="www.clinic.example")
    assert found.host
    assert found.owner
    assert (slugs(found.host), slugs(found.owner)) == (["host", "carrier"], ["owner"])
    assert [contact.team.slug for contact in told(found.host)] == ["host"]


def test_what_is_not_asked_is_not_answered() -> None:
    assert destinations(KNOWN, ASKED, ip="203.0.113.70", domain=None).owner is None
    assert destinations(KNOWN, ASKED, ip="", domain="clinic.example").host is None


@pytest.mark.parametrize(
    ("ip", "domain", "where"),
    [("clinic.example", None, "ip"), ("203.0.113.0/24", None, "ip"), (None, "203.0.113.70", "domain")],
)
def test_each_stands_in_its_own_place(ip: str | None, domain: str | None, where: str) -> None:
    with pytest.raises(Invalid) as wrong:
        destinations(KNOWN, ASKED, ip=ip, domain=domain)
    assert (wrong.value.code, wrong.value.where) == ("indicator_invalid", where)


def test_a_team_whose_first_address_is_a_telephone_is_written_to_at_its_next() -> None:
    channels = (
        mailbox("desk", kind="phone", value="+43 1 1"),
        mailbox("gone", preference=2, state="bouncing"),
        mailbox("soc", preference=3),
    )
    index = Index.build(directory(team("host", prefix("203.0.113.0/24"), channels=channels)), None)
    found = destinations(index, ASKED, ip="203.0.113.70", domain=None)
    assert found.host
    assert mailboxes(found.host.contacts[0], "incident") == ["soc@example.org"]
