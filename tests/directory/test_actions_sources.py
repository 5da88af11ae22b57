"""Lists of others on their way in: which team they mean, and what they may not touch."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from sqlalchemy import select

from pocdir.core.errors import Invalid
from pocdir.db import db, transaction
from pocdir.directory.actions.imports import import_records
from pocdir.directory.formats.table import FORMATS
from pocdir.directory.models import Address, Channel, Responsibility, Source, Team, TeamFact
from pocdir.directory.queries import entries
from pocdir.directory.rules import record as rules
from tests.directory import made
from tests.directory.made import imported

SECURITY_TXT = b"Contact: mailto:security@cert.example\nExpires: 2027-06-20T09:00:00Z\nCanonical: https://www.cert.example/x\n"
NATIONAL = (
    b"AT|CERT Example <reports@cert.example>\nDE|Other <team@other.example>\nFR|Third <team@third.example>\n"
)
EXAMPLES = {
    "first": json.dumps(made.first_page(made.first_team())).encode(),
    "ti": json.dumps([made.ti_team()]).encode(),
    "certbund": NATIONAL,
    "certat": b"iso2;team_name;email\nAT;CERT.at;reports@cert.example\n",
    "security-txt": SECURITY_TXT,
    "rdap": json.dumps(made.rdap()).encode(),
    "cidr-csv": b"as_or_cidr,organization,comment,contact\n64500,ISP,,abuse@isp.example\n",
}


def said(source=None):
    """Every row of the directory with who says it."""
    chosen = [
        select(Source.name, Team.slug, TeamFact.field)
        .join(TeamFact, TeamFact.source_id == Source.id)
        .join(Team, TeamFact.team_id == Team.id),
        select(Source.name, Team.slug, Address.value)
        .join(Channel, Channel.source_id == Source.id)
        .join(Team, Channel.team_id == Team.id)
        .join(Address, Channel.address_id == Address.id),
        select(Source.name, Team.slug, Responsibility.value)
        .join(Responsibility, Responsibility.source_id == Source.id)
        .join(Team, Responsibility.team_id == Team.id),
    ]
    rows = {tuple(row) for each in chosen for row in db.session().execute(each)}
    db.session().rollback()
    return {row[1:] for row in rows if row[0] == source} if source else rows


@pytest.mark.usefixtures("app")
class TestEachSource:
    @pytest.mark.parametrize("name", EXAMPLES)
    def test_the_same_file_again_changes_nothing(self, name):
        first = imported(EXAMPLES[name], name=name, source="list")
        before = said()
        second = imported(EXAMPLES[name], name=name, source="list")
        assert (first.status, second.status) == ("applied", "unchanged")
        assert said() == before
        assert second.version == first.version

    def test_sources_never_touch_each_others_rows(self):
        for name, data in EXAMPLES.items():
            imported(
                data, name=name, source=f"{name} list", force=True
            )  # two know one address under two names
        before = {name: said(f"{name} list") for name in EXAMPLES}
        assert all(before.values())
        imported(b"AT|CERT Example <new@cert.example>\n", name="certbund", source="certbund list", force=True)
        for name in EXAMPLES:
            assert (said(f"{name} list") == before[name]) == (name != "certbund")


@pytest.mark.usefixtures("app")
class TestWhichTeam:
    def test_a_security_txt_adds_channels_to_the_team_of_its_domain_and_says_nothing_else(self):
        made.team(website="https://cert.example/about")
        imported(SECURITY_TXT, name="security-txt")
        assert said("security.txt of cert.example") == {("cert-example", "security@cert.example")}

    def test_a_domain_responsibility_finds_the_team_too(self):
        made.team(responsibilities=[made.responsibility("domain", "sub.cert.example")])
        imported(SECURITY_TXT, name="security-txt")
        assert said("security.txt of cert.example") == {("cert-example", "security@cert.example")}

    def test_nobodys_domain_is_an_unverified_lead_of_that_name(self):
        imported(SECURITY_TXT, name="security-txt")
        team = entries.team_by_slug("cert-example", db.session())
        assert (team.name, team.lead) == ("cert.example", True)
        assert imported(SECURITY_TXT, name="security-txt").status == "unchanged"

    def test_the_domain_of_several_teams_is_refused_until_somebody_says_which(self):
        made.team("one", name="One", website="https://a.cert.example/")
        made.team("two", name="Two", website="https://b.cert.example/")
        with pytest.raises(Invalid) as refused:
            imported(SECURITY_TXT, name="security-txt")
        assert refused.value.code == "team_ambiguous"
        assert "one, two" in refused.value.message

    def test_a_security_txt_with_a_form_at_somebody_elses_needs_to_be_told_whose_it_is(self):
        made.team("bounty", name="Bounty", website="https://app.bounty.example/")
        data = b"Contact: https://app.bounty.example/r/1\nExpires: 2027-06-20T09:00:00Z\n"
        with pytest.raises(Invalid, match="--team says so") as refused:
            imported(data, name="security-txt")
        assert refused.value.code == "team_ambiguous"
        parsed = FORMATS["security-txt"](data, made.NOW)
        with transaction() as session:
            import_records(
                session, records=[replace(parsed.teams[0], slug="divd")], source=parsed.source,
                origin="imported", now=made.NOW, actor="operator",
            )  # fmt: skip
        team = entries.entry("divd")
        assert (team.team.name, [it.value for it in team.channels]) == (
            "divd",
            ["https://app.bounty.example/r/1"],
        )
        assert entries.entry("bounty").team.name == "Bounty"

    def test_rdap_finds_the_team_by_its_name_or_by_the_domain_of_its_address(self):
        made.team("by-name", name="EXAMPLE  networks", website=None)
        imported(EXAMPLES["rdap"], name="rdap")
        assert {slug for slug, _ in said("RDAP NET-EXAMPLE")} == {"by-name"}
        made.team("by-domain", name="Another", website="https://other.example/")
        answer = (
            json.dumps(made.rdap())
            .replace("networks.example", "other.example")
            .replace("Example Networks", "X")
        )
        imported(answer.encode(), name="rdap", source="other")
        assert {slug for slug, _ in said("other")} == {"by-domain"}

    def test_an_id_elsewhere_finds_a_team_that_changed_its_name(self):
        imported(json.dumps(made.first_page(made.first_team(id="example"))).encode(), name="first")
        renamed = made.first_page(made.first_team(id="example", **{"team-full": "Another name"}))
        result = imported(json.dumps(renamed).encode(), name="first")
        assert [key[1:] for key in result.diff.changed] == [
            ("example-computer-emergency-response-team", "name")
        ]
        assert not result.diff.added


@pytest.mark.usefixtures("app")
class TestPlaceholders:
    def test_a_placeholder_that_appears_waits_and_the_old_data_stays(self):
        imported(NATIONAL, name="certbund", source="list")
        before = said()
        poisoned = NATIONAL.replace(b"reports@cert.example", b"removed@lacnic.net")
        result = imported(poisoned, name="certbund", source="list")
        assert result.status == "quarantined"
        assert "removed@lacnic.net stands for an address that was removed" in result.reasons[0]
        assert said() == before

    def test_once_accepted_it_is_not_told_again(self):
        imported(NATIONAL, name="certbund", source="list")
        poisoned = NATIONAL.replace(b"reports@cert.example", b"removed@lacnic.net")
        imported(poisoned, name="certbund", source="list", force=True)
        assert not any("lacnic" in str(row) for row in said())
        assert imported(poisoned, name="certbund", source="list").status == "unchanged"
        more = poisoned + b"IT|Fourth <team@fourth.example>\n"
        assert imported(more, name="certbund", source="list").status == "applied"

    def test_every_format_is_kept_from_it(self):
        data = made.file(made.team_json(channels=[made.channel("removed@lacnic.net")]))
        assert imported(data).status == "quarantined"
        assert imported(data, force=True).status == "applied"
        assert not any("lacnic" in str(row) for row in said())


@pytest.mark.parametrize(
    "value",
    ["removed@lacnic.net", "Removed@LACNIC.net ", "abuse@example.com.", "hostmaster@nic.ad.jp", "REDACTED",
     "REDACTED FOR PRIVACY", "Data Redacted", "redacted@example.org"],
)  # fmt: skip
def test_a_placeholder_is_known_as_one(value):
    assert rules.placeholder(value)


@pytest.mark.parametrize(
    "value",
    ["reports@cert.example", "abuse@example.com", "hostmaster@isp.example", "abuse@ripe.net", "a@b.example",
     "https://cert.example/redactedform", "+43 1 5056416"],
)  # fmt: skip
def test_an_address_is_no_placeholder(value):
    assert rules.placeholder(value) is None
