"""The quarantine in the browser and on the command line: stewards decide, nobody else looks."""

from __future__ import annotations

import datetime as dt
import json

import pytest
import time_machine

from pocdir import cli
from pocdir.accounts.actions import create_token
from pocdir.db import db, transaction
from pocdir.directory.actions import edits
from pocdir.directory.quarantine import jobs
from pocdir.directory.quarantine.queries import waiting
from pocdir.directory.queries import versions
from tests.accounts import made as people
from tests.conftest import Api
from tests.directory import made
from tests.directory.quarantined import base, held, mark, other, poisoned, values_of

LATER = made.NOW + dt.timedelta(hours=1)
PAGE = "/directory/quarantine"


@pytest.fixture(autouse=True)
def _now(app):
    with time_machine.travel(LATER, tick=False):
        yield


@pytest.fixture
def steward(app):
    return people.browser(app, people.person(now=LATER, site_role="steward"), now=LATER)


def import_page():
    (it,) = held()
    return f"{PAGE}/{it.row.import_ref}"


def post(client, path, **typed):
    page = client.get(path).text
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    return client.post(path, data={"csrf_token": token, **typed})


def one(**more):
    (it,) = held()
    return {"item": it.row.ref, "revision": it.row.stands, **more}


def test_a_steward_sees_what_waits_and_why(steward):
    base()
    poisoned()
    assert f'href="{PAGE}"' in steward.get("/steward").text
    assert import_page() in steward.get(PAGE).text
    page = steward.get(import_page()).text
    for said in (
        "cert@cert.example, which the team confirmed, would vanish",
        "evil@other.example",
        "CERT Example",
        "Accept all",
    ):
        assert said in page


def test_a_steward_accepts_one_change(steward):
    base()
    poisoned()
    path = import_page()
    response = post(steward, path, what="accept", reason="a call on 20 November", **one())
    assert (response.status_code, response.headers["Location"]) == (302, path)
    assert values_of() == {"evil@other.example"}
    page = steward.get(path).text
    assert "Accepted: 1 team." in page
    assert "a call on 20 November" in page
    assert path in steward.get(f"{PAGE}?state=decided").text


def test_a_steward_refuses_one_change(steward):
    base()
    poisoned()
    post(steward, import_page(), what="refuse", **one())
    assert held() == []
    assert values_of() == {"cert@cert.example"}


def test_who_decides_over_an_older_state_is_told(steward):
    base()
    poisoned()
    path = import_page()
    assert post(steward, path, what="accept", item=one()["item"], revision="0").status_code == 302
    assert "was changed meanwhile" in steward.get(path).text
    assert values_of() == {"cert@cert.example"}


def test_all_is_asked_once_more(steward):
    teams = [made.team_json(f"team-{n}", name=f"Team {n}", channels=[]) for n in range(4)]
    made.imported(made.file(*teams))
    made.imported(made.file(teams[0]))
    path = f"{PAGE}/{held()[0].row.import_ref}"
    assert "Accept all 3 changes?" in post(steward, path, what="accept").text
    assert len(held()) == 3
    post(steward, path, what="accept", sure="true")
    db.session.rollback()
    assert [team.slug for team in versions.snapshot().teams] == ["team-0"]


def test_a_change_of_a_national_team_is_asked_once_more(steward):
    made.imported(made.file(made.team_json(), other()))
    made.imported(made.file(made.team_json(name="C\u0415RT"), other()))
    path = import_page()
    assert "Reports about a country" in post(steward, path, what="accept", **one()).text
    post(steward, path, what="accept", sure="true", **one())
    assert held() == []


def test_the_only_steward_reads_when_it_takes_effect(steward):
    made.imported(made.file(made.team_json(), other()))
    mark()
    made.imported(made.file(made.team_json(channels=[made.channel("evil@other.example")]), other()))
    path = import_page()
    assert "You are the only steward" in steward.get(path).text
    post(steward, path, what="accept", sure="true", **one())
    assert "it takes effect on 2026-11-25 13:00 UTC" in steward.get(path).text
    assert values_of() == {"cert@cert.example"}


def test_what_could_not_be_read_is_shown_and_seen(steward, pocdir, tmp_path):
    made.imported(made.file(made.team_json()))
    path = tmp_path / "list.json"
    path.write_bytes(b"<!DOCTYPE html><html><body>We have moved</body></html>")
    for _ in range(2):
        assert pocdir("directory", "import", "pocdir-json", path, "--source", "list")[0] == 1
    page = steward.get(import_page()).text
    assert "this is an HTML page, not JSON" in page
    assert "There is nothing to apply" in page
    assert values_of() == {"cert@cert.example"}
    post(steward, import_page(), what="refuse", **one())
    assert held() == []
    assert pocdir("directory", "import", "pocdir-json", path, "--source", "list")[0] == 1
    assert held() == []


def test_what_could_be_read_again_waits_no_more(pocdir, tmp_path):
    path = tmp_path / "list.json"
    path.write_bytes(b"<html>")
    pocdir("directory", "import", "pocdir-json", path, "--source", "list")
    assert len(held()) == 1
    made.imported(made.file(made.team_json()))
    assert held() == []


@pytest.mark.parametrize(
    "typed", [{}, {"what": "burn"}, {"what": "accept", "item": "nobody"}, {"what": "accept", "x": "y"}]
)
def test_strange_decisions_are_refused(steward, typed):
    base()
    poisoned()
    assert post(steward, import_page(), **typed).status_code in (404, 422)
    assert len(held()) == 1


def test_what_is_not_there_is_not_found(steward):
    assert steward.get(f"{PAGE}/nobody").status_code == 404
    assert "Nothing waits" in steward.get(f"{PAGE}?page=99999999999").text


def test_others_do_not_look(app, client):
    base()
    poisoned()
    path = import_page()
    researcher = people.browser(app, people.person("rita@example.org", now=LATER, workspace="lab"), now=LATER)
    for asked in (PAGE, path):
        assert client.get(asked).status_code == 302
        assert researcher.get(asked).status_code == 403
    assert researcher.post(path, data={"what": "accept"}).status_code in (400, 403, 422)
    assert "evil@other.example" not in client.get("/teams/cert-example").text


@pytest.fixture
def pocdir(app, capfdbinary):
    """Runs a command; returns exit code, stdout, stderr."""

    def run(*arguments):
        code = cli.run([str(argument) for argument in arguments])
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return run


COMMAND = ("directory", "quarantine")


def test_the_command_lists_what_waits_with_each_change(pocdir):
    assert pocdir(*COMMAND, "list")[0] == 1
    base()
    poisoned()
    code, out, _ = pocdir(*COMMAND, "list", "--source", "list")
    assert code == 0
    assert "doubt: cert@cert.example, which the team confirmed, would vanish" in out
    assert "+ channel email evil@other.example incident" in out
    told = json.loads(pocdir(*COMMAND, "list", "--json", "--team", "cert-example")[1])
    assert (told["team"], told["state"], told["reasons"][0]["code"]) == ("cert-example", "held", "vanishes")
    assert {change["change"] for change in told["changes"]} == {"added", "removed"}
    assert pocdir(*COMMAND, "list", "--team", "other")[0] == 1


def test_the_command_accepts_and_refuses(pocdir):
    base()
    (ref,) = poisoned().held.values()
    code, out, _ = pocdir(*COMMAND, "refuse", ref, "--reason", "not theirs", "--json")
    assert (code, json.loads(out)["state"]) == (0, "refused")
    assert waiting.item(ref).row.note == "not theirs"
    assert pocdir(*COMMAND, "accept", ref)[0] == 1
    differs = made.team_json(kind="provider", channels=[made.channel("another@other.example")])
    (ref,) = made.imported(made.file(differs, other())).held.values()
    assert pocdir(*COMMAND, "accept", ref)[0] == 0
    assert values_of() == {"another@other.example"}


def test_the_command_says_what_was_overtaken(pocdir, app):
    base()
    (ref,) = poisoned().held.values()
    with transaction() as session:
        edits.edit_team(session, slug="cert-example", facts={"name": "New"}, now=LATER, actor="operator")
    code, out, _ = pocdir(*COMMAND, "accept", ref)
    assert code == 1
    assert "changed meanwhile" in out


@pytest.mark.parametrize("arguments", [("accept",), ("refuse",), ("burn", "x")])
def test_wrong_usage_exits_2(pocdir, arguments):
    assert pocdir(*COMMAND, *arguments)[0] == 2


def program(app, lab, scope):
    with transaction() as session:
        made_token = create_token(session, workspace_id=lab.id, scopes=[scope], now=LATER, actor="operator")
    return Api(app, made_token[1])


def test_a_program_reads_what_waits(app, lab):
    base()
    (ref,) = poisoned().held.values()
    reader = program(app, lab, "quarantine.read")
    (it,) = reader.get("/api/v1/quarantine").json["items"]
    assert (it["id"], it["team"], it["reasons"][0]["code"]) == (ref, "cert-example", "vanishes")
    assert {change["change"] for change in it["changes"]} == {"added", "removed"}
    assert reader.get("/api/v1/quarantine", state="refused").json == {"items": [], "next": None}
    assert reader.get("/api/v1/quarantine", cursor="nobody").status_code == 422
    assert program(app, lab, "directory.edit").get("/api/v1/quarantine").status_code == 403


def test_a_file_that_could_not_be_read_stands_apart_and_is_seen_with_one_button(app, steward, tmp_path):
    made.imported(made.file(made.team_json()))
    path = tmp_path / "list.json"
    path.write_bytes(b"<!DOCTYPE html>")
    assert cli.run(["directory", "import", "pocdir-json", str(path)]) == 1
    desk = steward.get("/steward").text
    assert "A file could not be read" in desk
    assert "would change what stands firm" not in desk
    page = steward.get(import_page()).text
    assert "Refuse all" not in page
    assert page.count('value="refuse"') == 1
    where, (it,) = import_page(), held()
    answer = post(steward, where, item=it.row.ref, what="refuse")
    assert "Seen: the file does not wait here any more." in steward.get(answer.headers["Location"]).text
    assert held() == []


def test_a_file_that_could_not_be_read_goes_by_itself_after_30_days(app, tmp_path):
    made.imported(made.file(made.team_json()))
    path = tmp_path / "list.json"
    path.write_bytes(b"")
    cli.run(["directory", "import", "pocdir-json", str(path)])
    for days, settled in ((30, 0), (31, 1), (32, 0)):
        assert jobs.apply_due(LATER + dt.timedelta(days=days)) == settled
    assert held() == []


def test_after_accepting_the_import_counts_what_was_accepted_and_the_history_names_the_steward(app, steward):
    base()
    poisoned()
    path = import_page()
    post(steward, path, what="accept", **one())
    assert "1 rows added, 0 changed, 1 removed" in steward.get(path).text
    assert "doubtful, accepted by a steward" in steward.get("/teams/cert-example").text
