"""Which channel a team is told by, who is ruled out, and the shape of the answer."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import Any

import pytest

from pocdir.directory.rules.record import TEAM_KINDS
from pocdir.routing.rules.index import Index, channels_for
from pocdir.routing.rules.indicator import parse
from pocdir.routing.rules.resolver import answer_json, resolve
from tests.routing.directories import (
    TODAY,
    ask,
    directory,
    mailbox,
    national,
    prefix,
    refused,
    row,
    slugs,
    team,
    told,
)
from tests.routing.test_rules_decide import IN_AUSTRIA, IP, NET

# Channels


def test_the_first_preference_for_the_purpose_that_lives_is_the_channel() -> None:
    channels = (
        mailbox("late", preference=3),
        mailbox("vulnerabilities", purpose="vulnerability"),
        mailbox("dead", state="bouncing", state_since="2026-11-02"),
        mailbox("members", audience="members"),
        mailbox("right", preference=2, state="unresponsive"),
    )
    known = directory(team("isp", prefix(NET), channels=channels))
    assert ask(IP, known).contacts[0].channel.value == "right@example.org"
    assert ask(IP, known, purpose="vulnerability").contacts[0].channel.value == "vulnerabilities@example.org"


def test_of_two_addresses_of_one_preference_the_confirmed_one_is_written_to() -> None:
    channels = (mailbox("a", origin="manual"), mailbox("b", state="verified"), mailbox("c", state="due"))
    known = directory(team("isp", prefix(NET), channels=channels))
    assert ask(IP, known).contacts[0].channel.value == "b@example.org"
    preferred = (mailbox("a"), mailbox("b", state="verified", preference=2))
    known = directory(team("isp", prefix(NET), channels=preferred))
    assert ask(IP, known).contacts[0].channel.value == "a@example.org"


def test_a_general_address_serves_where_none_is_named_for_the_purpose() -> None:
    general = mailbox("office", purpose="general")
    answer = ask(IP, directory(team("isp", prefix(NET), channels=(general,))))
    assert answer.contacts[0].reasons[1] == "a general address; none for the purpose incident is known"
    bouncing = (general, mailbox("soc", state="bouncing", state_since="2026-11-02T10:00:00Z"))
    assert refused(ask(IP, directory(team("isp", prefix(NET), channels=bouncing)))) == {
        "isp": "demoted: bounce on 2026-11-02"
    }


def test_a_lead_of_low_confidence_says_so() -> None:
    lead = team("isp", prefix(NET), channels=(mailbox("isp", confidence="low"),))
    assert ask(IP, directory(lead)).contacts[0].reasons[1].startswith("an unverified lead")


def test_channels_of_members_are_seen_only_by_members() -> None:
    closed = team("isp", prefix(NET), channels=(mailbox("soc", audience="members"),))
    assert channels_for(closed, "incident") == ()
    assert refused(ask(IP, directory(closed))) == {"isp": "no channel for the purpose incident"}
    index = Index.build(directory(closed), None, audiences=frozenset({"public", "members"}))
    assert slugs(resolve(index, parse(IP), on=TODAY)) == ["isp"]


# Ruled out


@pytest.mark.parametrize(
    ("changes", "wishes", "reason"),
    [
        ({"state": "bouncing", "since": "2026-11-02"}, {}, "demoted: bounce on 2026-11-02"),
        ({"state": "bouncing"}, {}, "demoted: bounce"),
        ({"state": "withdrawn", "since": "2026-11-02"}, {}, "demoted: withdrawn on 2026-11-02"),
        ({"channels": ()}, {}, "no channel for the purpose incident"),
        ({}, {"purpose": "sample"}, "no channel for the purpose sample"),
        ({}, {"exclude_teams": frozenset({"isp"})}, "excluded by the asker: this team"),
        ({}, {"exclude_countries": frozenset({"AT"})}, "excluded by the asker: host country AT"),
        (
            {"host_kind": "police"},
            {"exclude_hosts": frozenset({"police", "military"})},
            "excluded by the asker: hosted by police",
        ),
        (
            {"opt_outs": ("malicious-code",)},
            {"kind_of_report": "malicious-code/c2-server"},
            "opted out of reports on malicious-code/c2-server",
        ),
    ],
)
def test_a_team_is_ruled_out_with_the_reason(
    changes: dict[str, Any], wishes: dict[str, Any], reason: str
) -> None:
    known = directory(
        team("isp", prefix("203.0.113.64/28"), **changes), team("telco", prefix(NET), country="DE")
    )
    known = replace(known, teams=(known.teams[0], replace(known.teams[1], channels=_every_purpose("telco"))))
    answer = ask(IP, known, **wishes)
    assert refused(answer) == {"isp": reason}
    assert answer.rejected[0].basis.value == "203.0.113.64/28"
    assert slugs(answer) == ["telco"]


def _every_purpose(slug: str) -> tuple[Any, ...]:
    return tuple(mailbox(slug, purpose=purpose) for purpose in ("incident", "sample", "vulnerability"))


@pytest.mark.parametrize(
    ("dates", "reason"),
    [
        ({"valid_to": "2026-11-22"}, "expired on 2026-11-22"),
        ({"valid_to": "2026-11-23"}, None),
        ({"valid_from": "2026-11-22"}, None),
        ({"valid_from": "2026-11-23"}, "not valid before 2026-11-23"),
    ],
)
def test_a_responsibility_holds_from_its_first_day_to_the_day_before_its_end(
    dates: dict[str, str], reason: str | None
) -> None:
    answer = ask(IP, directory(team("isp", prefix(NET, **dates))))
    assert refused(answer) == ({"isp": reason} if reason else {})
    assert slugs(answer) == ([] if reason else ["isp"])


def test_an_expired_entry_does_not_rule_out_a_team_that_has_another() -> None:
    known = directory(team("isp", prefix("203.0.113.64/28", valid_to="2020-01-01"), prefix(NET)))
    answer = ask(IP, known)
    assert told(answer) == [("isp", "to", NET)]
    assert answer.contacts[0].reasons == ("most specific prefix",)
    assert answer.rejected == ()


def test_one_index_answers_each_day_and_each_wish_for_itself() -> None:
    index = Index.build(directory(team("isp", prefix(NET, valid_to="2026-11-23"))), None)
    for _ in range(2):
        assert slugs(resolve(index, parse(IP), on=TODAY)) == ["isp"]
        assert slugs(resolve(index, parse(IP), on=TODAY + dt.timedelta(days=1))) == []
        assert slugs(resolve(index, parse(IP), on=TODAY, exclude_teams=frozenset({"isp"}))) == []


def test_a_national_poc_that_is_ruled_out_is_not_unknown() -> None:
    answer = ask("AT", directory(team("cert-at", national("AT"), state="withdrawn")))
    assert answer.notes == ("the national PoC of AT is known and ruled out",)
    gone = ask("AT", directory(team("cert-at", national("AT", valid_to="2020-01-01"))))
    assert gone.notes == ("no national PoC known for AT",)


# The shape


def test_the_answer_has_every_key_of_the_published_shape() -> None:
    known = directory(
        team("cert-at", national("AT"), kind="national"),
        team("isp", row("asn", "64500"), state="bouncing", since="2026-11-02"),
    )
    answer = answer_json(ask("hxxp://5.5.5[.]5/x", known, IN_AUSTRIA))
    assert json.loads(json.dumps(answer)) == {
        "status": "ok",
        "query": {"input": "hxxp://5.5.5[.]5/x", "kind": "url", "value": "http://5.5.5.5/x"},
        "registry": {
            "prefix": "5.5.5.0/24",
            "asn": 64500,
            "holder": "Example AS",
            "countries": {"registered": "AT", "located": None, "asn": None},
            "as_of": "2026-06-17",
        },
        "contacts": [
            {
                "rank": 1,
                "role": "to",
                "team": {"slug": "cert-at", "name": "CERT-AT", "kind": "national", "country": "AT"},
                "channel": {
                    "kind": "email",
                    "value": "cert-at@example.org",
                    "purpose": "incident",
                    "state": "unverified",
                    "openpgp_fingerprint": None,
                    "openpgp_pinned": False,
                },
                "basis": {
                    "key": "country",
                    "value": "AT",
                    "origin": "imported",
                    "source": "test list",
                    "as_of": "2026-06-17",
                },
                "reasons": ["registered country"],
                "try_next_after": None,
                "without_detail": False,
                "responsiveness": None,
            }
        ],
        "rejected": [
            {
                "team": {"slug": "isp"},
                "basis": {
                    "key": "asn",
                    "value": "64500",
                    "origin": "imported",
                    "source": "test list",
                    "as_of": "2026-06-17",
                },
                "reason": "demoted: bounce on 2026-11-02",
            }
        ],
        "notes": [],
        "directory_version": "d1",
        "registry_version": "r1",
    }


def test_two_answers_share_nothing_that_can_be_changed() -> None:
    index = Index.build(directory(team("isp", prefix(NET))), None)
    first = answer_json(resolve(index, parse(IP), on=TODAY))
    first["contacts"][0]["responsiveness"] = first["contacts"][0]["team"]["slug"] = "changed"
    second = answer_json(resolve(index, parse(IP), on=TODAY))
    assert second["contacts"][0]["responsiveness"] is None
    assert second["contacts"][0]["team"]["slug"] == "isp"


def test_reasons_and_notes_can_be_said_in_another_language() -> None:
    answer = ask("AF", directory(team("isp", row("country", "AF", "coordinator"))))
    note = answer.notes[0]
    assert (note.pattern, note.values) == ("no national PoC known for %(code)s", {"code": "AF"})
    assert answer.contacts[0].reasons[0].pattern == "coordinator for several countries"


def test_every_kind_of_team_is_answered() -> None:
    for kind in TEAM_KINDS:
        assert slugs(ask(IP, directory(team("isp", prefix(NET), kind=kind)))) == ["isp"]
