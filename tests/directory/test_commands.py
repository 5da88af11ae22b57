"""The directory from the command line, as scripts see it."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import update

from pocdir.core.errors import Invalid
from pocdir.db import db, transaction
from pocdir.directory.actions import marking
from pocdir.directory.models import Import
from pocdir.directory.quarantine.queries import waiting
from pocdir.directory.queries import versions
from tests.directory import made


def test_import_says_what_it_did(pocdir, file):
    path = file(made.file(made.team_json()))
    code, out, err = pocdir("directory", "import", "pocdir-json", path, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "status": "applied",
        "source": "list",
        "added": 5,
        "changed": 0,
        "removed": 0,
        "redated": 0,
        "reasons": [],
        "held": [],
        "refused": [],
        "directory_version": "1",
        "notes": [],
        "changes": [],
    }
    code, out, _ = pocdir("directory", "import", "pocdir-json", path, "--json")
    assert (code, json.loads(out)["status"]) == (0, "unchanged")


def test_a_dry_run_shows_each_change(pocdir, file):
    code, out, _ = pocdir(
        "directory", "import", "pocdir-json", file(made.file(made.team_json())), "--dry-run"
    )
    assert code == 0
    assert "+\tcert-example\tchannel\temail cert@cert.example incident\tpreference=1 audience=public" in out
    assert out.endswith("list: dry-run (5 added, 0 changed, 0 removed, 0 redated)\n")
    assert versions.directory_version() == "0"


def test_a_source_is_named_by_the_option_or_after_the_file(pocdir, file):
    data = b"as_or_cidr,organization,comment,contact\n203.0.113.0/24,Example ISP,,abuse@isp.example\n"
    path = file(data, "isps.csv")
    assert json.loads(pocdir("directory", "import", "cidr-csv", path, "--json")[1])["source"] == "isps.csv"
    told = pocdir("directory", "import", "cidr-csv", path, "--json", "--source", "ours")[1]
    assert json.loads(told)["source"] == "ours"


def test_a_file_about_a_given_team(pocdir, file):
    made.imported(made.file(made.team_json()))
    path = file(b"as_or_cidr,organization,comment,contact\n203.0.113.0/24,Whoever,,\n", "net.csv")
    assert pocdir("directory", "import", "cidr-csv", path, "--team", "cert-example")[0] == 0
    team = versions.snapshot().teams[0]
    assert {r.value for r in team.responsibilities} == {"AT", "203.0.113.0/24"}
    assert pocdir("directory", "import", "cidr-csv", path, "--team", "Not A Slug")[0] == 1


def test_a_quarantined_import_exits_1_and_applies_with_the_option(pocdir, file):
    teams = [made.team_json(f"team-{n}", name=f"Team {n}") for n in range(4)]
    made.imported(made.file(*teams))
    path = file(made.file(teams[0]))
    code, out, _ = pocdir("directory", "import", "pocdir-json", path)
    assert code == 1
    assert "doubt: the source shrinks from 12 rows to 3" in out
    assert pocdir("directory", "import", "pocdir-json", path, "--apply")[0] == 0


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b"<!DOCTYPE html><html>", "line 1"),
        (b"", ""),
        (b"\xff\xfe", "line 1"),
        (b'{"teams": [}', "line 1, column 12"),
        (b'{"teams": [{"slug": "a", "kind": "national"}]}', "teams[0].country"),
        (
            b'{"teams": [{"slug": "a", "kind": "national", "country": "AT", "channels":'
            b' [{"kind": "email", "value": "no"}]}]}',
            "teams[0].channels[0].value",
        ),
    ],
)
def test_what_is_not_the_format_exits_1_with_one_line_that_says_where(pocdir, file, data, where):
    code, out, err = pocdir("directory", "import", "pocdir-json", file(data))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert where in err
    assert versions.directory_version() == "0"


def test_a_missing_file_exits_1(pocdir, tmp_path):
    code, _, err = pocdir("directory", "import", "pocdir-json", tmp_path / "none.json")
    assert code == 1
    assert "none.json" in err


def test_a_huge_file_is_refused_by_its_size(pocdir, tmp_path):
    path = tmp_path / "huge.json"
    with path.open("wb") as opened:
        opened.truncate(201 * 1024 * 1024)
    code, _, err = pocdir("directory", "import", "pocdir-json", path)
    assert code == 1
    assert "at most" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("import", "html", "x"),
        ("import", "pocdir-json"),
        ("import", "pocdir-json", "x", "--apply", "--dry-run"),
        ("export", "html"),
        ("mark", "a@b.example", "gone", "--evidence", "x"),
        ("mark", "a@b.example", "bouncing"),
    ],
)
def test_wrong_usage_exits_2(pocdir, arguments):
    code, out, err = pocdir("directory", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_export_is_the_same_bytes_and_can_be_imported(pocdir, file, tmp_path):
    made.imported(made.file(made.team_json()))
    code, out, _ = pocdir("directory", "export", "pocdir-json")
    assert code == 0
    assert out == pocdir("directory", "export", "pocdir-json")[1]
    assert pocdir("directory", "export", "pocdir-csv", "--out", tmp_path / "d.csv")[:2] == (0, "")
    assert pocdir("directory", "import", "pocdir-csv", tmp_path / "d.csv", "--source", "copy")[0] == 0


def test_marking_an_address_changes_its_state_for_every_team(pocdir):
    made.imported(made.file(made.team_json(), made.team_json("other", name="Other")))
    told = (
        "directory",
        "mark",
        "CERT@cert.example",
        "bouncing",
        "--evidence",
        "5.1.1 on 2 November",
        "--json",
    )
    code, out, _ = pocdir(*told)
    assert code == 0
    assert json.loads(out)["teams"] == ["cert-example", "other"]
    channel = versions.snapshot().teams[1].channels[0]
    assert (channel.state, channel.state_evidence) == ("bouncing", "5.1.1 on 2 November")
    assert channel.state_since is not None


def test_marking_an_unknown_address_exits_1(pocdir):
    code, _, err = pocdir("directory", "mark", "no@cert.example", "bouncing", "--evidence", "x")
    assert code == 1
    assert "no team has this address" in err


def waits():
    db.session.rollback()
    return [(it.row.source, str(it.judged.told[0])) for it in waiting.items()]


def test_a_file_refused_after_it_was_read_waits_to_be_seen_with_its_reason(pocdir, file):
    made.imported(made.file(made.team_json()))
    below = made.file(made.team_json(parent="cert-example"))
    assert pocdir("directory", "import", "pocdir-json", file(below), "--source", "circle")[0] == 1
    twice = made.file(made.team_json("a", name="Same"), made.team_json("a", name="Same"))
    assert pocdir("directory", "import", "pocdir-json", file(twice), "--source", "twice")[0] == 1
    assert [source for source, _ in waits()] == ["circle", "twice"]
    assert "stand above itself" in waits()[0][1]


def test_a_huge_file_waits_to_be_seen_and_a_missing_one_does_not(pocdir, tmp_path):
    made.imported(made.file(made.team_json()))
    huge = tmp_path / "huge.json"
    with huge.open("wb") as opened:
        opened.truncate(201 * 1024 * 1024)
    pocdir("directory", "import", "pocdir-json", huge)
    pocdir("directory", "import", "pocdir-json", tmp_path / "none.json")
    assert [source for source, _ in waits()] == ["huge.json"]


def test_a_file_that_calls_itself_like_anothers_source_is_refused_until_a_person_names_it(pocdir, file):
    made.imported(made.file(made.team_json()), source="a registry")
    with transaction() as session:
        session.execute(update(Import).values(format="first"))
    says = file(made.file(made.team_json(website="https://new.example/"), source={"name": "a registry"}))
    code, _, err = pocdir("directory", "import", "pocdir-json", says)
    assert (code, "--source" in err) == (1, True)
    db.session.rollback()
    assert versions.snapshot().teams[0].website is None
    assert pocdir("directory", "import", "pocdir-json", says)[0] == 1  # that it was refused is no precedent
    assert pocdir("directory", "import", "pocdir-json", says, "--source", "a registry")[0] == 0
    assert pocdir("directory", "import", "pocdir-json", says)[0] == 0


def test_a_file_that_calls_itself_like_a_source_by_hand_speaks_for_imported_rows_alone(pocdir, file):
    path = file(made.file(made.team_json()))
    assert pocdir("directory", "import", "pocdir-json", path)[0] == 0
    by_hand = file(made.file(made.team_json(), origin="manual"))
    assert pocdir("directory", "import", "pocdir-json", by_hand)[0] == 1


@pytest.mark.parametrize(
    "name",
    ["steward", "Steward", "\u0455teward", "the team itself\u200b", "the te\u0430m itself", "The Team Itself",
     "the team itself, approved by nobody", "list\u2060"],
)  # fmt: skip
def test_no_file_speaks_in_a_name_that_looks_like_ours(app, name):
    with pytest.raises(Invalid) as refusal:
        made.imported(made.file(made.team_json()), source=name)
    assert refusal.value.code == "source_invalid"


@pytest.mark.parametrize("day", ["2999-01-01", "2026-11-30", "2027"])
def test_no_source_is_of_a_day_to_come(app, day):
    with pytest.raises(Invalid) as refusal:
        made.imported(made.file(made.team_json(), source={"name": "list", "url": None, "date": day}))
    assert "future" in str(refusal.value)


def test_the_terminal_says_what_waits_apart_from_what_was_applied(pocdir, file):
    made.imported(made.file(made.team_json(), made.team_json("b", name="B", channels=[])))
    with transaction() as session:
        marking.mark_address(
            session, kind="email", value="cert@cert.example", state="verified", evidence="a call", now=made.NOW,
            actor="operator",
        )  # fmt: skip
    evil = made.team_json(channels=[made.channel("evil@evil.example")])
    path = file(made.file(evil, made.team_json("b", name="B", website="https://b.example/", channels=[])))
    code, out, _ = pocdir("directory", "import", "pocdir-json", path)
    assert code == 1
    assert "1 team waits for a steward" in out
    assert "list: quarantined (1 added, 0 changed, 0 removed, 0 redated)" in out
    assert out.index("https://b.example/") < out.index("waiting for a steward:") < out.index("evil@evil")
    (it,) = waiting.items()
    db.session.rollback()
    pocdir("directory", "quarantine", "refuse", it.row.ref)
    out = pocdir("directory", "import", "pocdir-json", path)[1]
    assert "evil@evil" not in out
    assert "list: unchanged (0 added, 0 changed, 0 removed, 0 redated)" in out
