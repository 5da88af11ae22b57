"""What the names of a form's boxes mean."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient
from marshmallow import fields
from werkzeug.datastructures import MultiDict

from pocdir.outreach.schemas import PlanForm
from pocdir.web.forms import form, nested
from pocdir.web.schemas import Schema


class Row(Schema):
    of = fields.String()


class Typed(Schema):
    title = fields.String()
    rows = fields.List(fields.Nested(Row()))
    marks = fields.List(fields.String())


ODD = [
    "rows.²",
    "rows.².of",
    "rows.٣.of",
    "rows.12345.of",
    "rows." + "1" * 5_000,
    "rows" + ".a" * 3_000,
    "rows" + ".0" * 6,
    "rows..of",
    "rows.-1.of",
    ".",
    "",
]


def test_names_with_numbers_make_a_list_in_their_order() -> None:
    typed = MultiDict([("rows.10.of", "b"), ("rows.9.of", "a"), ("rows.9999.of", "c"), ("title", "t")])
    assert nested(Typed(), typed) == {"rows": [{"of": "a"}, {"of": "b"}, {"of": "c"}], "title": "t"}


def test_a_path_of_six_steps_is_followed() -> None:
    assert nested(Typed(), MultiDict({"a.b.c.d.e.f": "x"})) == {"a": {"b": {"c": {"d": {"e": {"f": "x"}}}}}}


@pytest.mark.parametrize("name", ODD, ids=lambda name: ascii(name[:20]))
def test_a_name_that_is_no_path_is_one_the_schema_does_not_know(name: str) -> None:
    typed = MultiDict({name: "x", "title": "t"})
    assert nested(Typed(), typed) == {name: "x", "title": "t"}
    assert not form(Typed(), typed).valid


@pytest.mark.parametrize("name", ODD, ids=lambda name: ascii(name[:20]))
def test_the_sign_in_page_refuses_such_a_name(client: FlaskClient, name: str) -> None:
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/login").text)
    assert found
    typed = {"csrf_token": found[1], "email": "anna@example.org", "password": "x" * 12, name: "x"}
    assert client.post("/login", data=typed).status_code == 422


class Needed(Schema):
    title = fields.String(required=True)
    count = fields.Integer()
    ref = fields.UUID()


def test_what_is_wrong_is_said_in_our_own_words() -> None:
    said = form(Needed(), MultiDict({"count": "x", "ref": "y", "other": "z"})).errors
    assert said == {
        "title": ["This is needed."],
        "count": ["A whole number is right."],
        "ref": ["This is no reference."],
        "other": ["This name is not known here."],
    }


def test_a_plan_of_which_nothing_is_chosen_says_so() -> None:
    assert form(PlanForm(), MultiDict()).errors["choose"] == ["Choose at least one contact."]
