"""The authorization matrix and the rules of names, links and passwords."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocdir.accounts import rules
from pocdir.core import tlp
from pocdir.core.errors import Gone, Invalid
from pocdir.core.refs import new_ref

NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)
SECRET = b"s" * 32
SIGNED_IN_ROLES = [role for role in rules.ROLES if role != "anonymous"]


@pytest.mark.parametrize("role", ["researcher", "owner"])
def test_a_member_works_on_the_incidents_of_the_own_workspace(role: str) -> None:
    assert rules.may([role], "incident.read", "own", tlp.RED)
    assert rules.may([role], "notification.log", "own", tlp.RED)


@pytest.mark.parametrize("action", [action for action, row in rules.MATRIX.items() if not row["anonymous"]])
@pytest.mark.parametrize("relation", rules.RELATIONS)
def test_nobody_anonymous_does_anything_that_is_not_public(action: str, relation: str) -> None:
    assert not rules.may(["anonymous"], action, relation)


@pytest.mark.parametrize("role", rules.ROLES)
@pytest.mark.parametrize("label", tlp.LABELS)
@pytest.mark.parametrize(
    "action", ["incident.read", "incident.write", "notification.read", "notification.log"]
)
def test_another_workspace_stays_closed_to_every_role(role: str, action: str, label: str) -> None:
    assert not rules.may([role], action, "other", label)


def test_only_an_owner_manages_the_workspace_and_its_tokens() -> None:
    for action in ("workspace.manage", "token.manage"):
        assert [role for role in rules.ROLES if rules.may_at_all([role], action)] == ["owner"]


def test_only_a_steward_changes_the_directory() -> None:
    for action in ("directory.edit", "directory.import", "directory.mark"):
        assert [role for role in rules.ROLES if rules.may_at_all([role], action)] == ["steward"]


def test_an_auditor_sees_of_others_what_their_label_lets_out() -> None:
    seen = [label for label in tlp.LABELS if rules.may(["auditor"], "ledger.read", "other", label)]
    assert seen == [tlp.CLEAR, tlp.GREEN]


def test_scopes_narrow_and_never_widen() -> None:
    assert rules.may(["owner"], "incident.read", "own", scopes=["incident.read"])
    assert not rules.may(["owner"], "incident.write", "own", scopes=["incident.read"])
    assert not rules.may(["researcher"], "directory.edit", "own", scopes=["directory.edit"])
    assert rules.may(["anonymous", "owner"], "lookup.ask", "none", scopes=["incident.read"])


@given(
    st.lists(st.sampled_from(rules.ROLES)),
    st.sampled_from(rules.ACTIONS),
    st.sampled_from(rules.RELATIONS),
    st.sampled_from(tlp.LABELS),
    st.lists(st.sampled_from(rules.SCOPES), min_size=1),
)
def test_a_right_on_a_row_is_a_right_at_all_and_scopes_only_take_away(
    roles: list[str], action: str, relation: str, label: str, scopes: list[str]
) -> None:
    if rules.may(roles, action, relation, label, scopes=scopes):
        assert rules.may(roles, action, relation, label)
    if rules.may(roles, action, relation, label):
        assert rules.may_at_all(roles, action)


def test_a_scope_never_lets_a_token_make_tokens_or_let_people_in() -> None:
    assert not set(rules.SCOPES) & rules.PERSONAL
    stewards = {
        action
        for action, row in rules.MATRIX.items()
        if row["steward"] and not (row["owner"] or row["team_contact"])
    }
    assert not set(rules.SCOPES) & stewards


def test_a_token_tells_its_prefix_and_keeps_its_secret() -> None:
    made = rules.new_token()
    assert rules.token_prefix(made.text) == made.prefix
    assert made.digest == rules.token_digest(made.text)
    assert made.text.removeprefix(f"pocdir_{made.prefix}_") not in made.digest
    assert made.text != rules.new_token().text


@pytest.mark.parametrize(
    "text", ["", "pocdir_", "pocdir_abcdefgh_" + "g" * 32, "x" * 300, "pocdir_abcdefgh_12\n"]
)
def test_what_is_no_token_has_no_prefix(text: str) -> None:
    assert rules.token_prefix(text) is None


def test_a_link_names_its_row_until_its_time() -> None:
    ref = new_ref(NOW)
    link = rules.one_time_link(SECRET, "welcome", ref, NOW + rules.LINK_LASTS, "state")
    assert rules.linked_ref(link, NOW) == ref
    assert rules.is_link(SECRET, "welcome", link, "state")
    with pytest.raises(Gone, match="works once"):
        rules.linked_ref(link, NOW + rules.LINK_LASTS)


@pytest.mark.parametrize(
    ("secret", "purpose", "state"),
    [(b"t" * 32, "welcome", "state"), (SECRET, "invitation", "state"), (SECRET, "welcome", "used")],
)
def test_a_link_is_of_one_secret_one_purpose_and_one_state(secret: bytes, purpose: str, state: str) -> None:
    link = rules.one_time_link(SECRET, "welcome", new_ref(NOW), NOW + rules.LINK_LASTS, "state")
    assert not rules.is_link(secret, purpose, link, state)


@given(st.text())
def test_any_other_text_is_no_link(text: str) -> None:
    with pytest.raises(Gone):
        rules.linked_ref(text, NOW)


@pytest.mark.parametrize("path", ["/", "/incidents?open=1", "/teams/cert-at#channels", "/a:b"])
def test_a_path_of_this_service_is_returned_to(path: str) -> None:
    assert rules.safe_next(path, "/") == path


@pytest.mark.parametrize(
    "target",
    [
        None, "", "incidents", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example",
        "https://evil.example", "javascript:alert(1)", "/\t/evil.example", "/\n/evil.example", " /x",
        "/x\r\nSet-Cookie: a",
        "http:/evil.example", "/ /evil.example",
    ],
)  # fmt: skip
def test_nowhere_else_is_returned_to(target: str | None) -> None:
    assert rules.safe_next(target, "/home") == "/home"


@given(st.text(alphabet=st.sampled_from("/\\:?#@ \t\n.evilhttps%")))
def test_a_returned_path_never_leaves_the_service(target: str) -> None:
    chosen = rules.safe_next(target, "/home")
    assert chosen.startswith("/")
    assert not chosen.startswith(("//", "/\\"))


@pytest.mark.parametrize(
    ("typed", "key"),
    [(" Anna@Example.ORG ", "anna@example.org"), ("ANNA@EXAMPLE.ORG", "anna@example.org")],
)
def test_an_address_is_one_account_whatever_its_case(typed: str, key: str) -> None:
    assert rules.address_key(typed) == key


@pytest.mark.parametrize(
    ("name", "slug"), [("lab", "lab"), ("My Lab", "my-lab"), ("Zürich — CERT", "zurich-cert")]
)
def test_a_workspace_is_known_by_letters_and_digits(name: str, slug: str) -> None:
    assert rules.workspace_slug(name) == slug


@pytest.mark.parametrize("name", ["", "  ", "--", "лаборатория", "x" * 61])
def test_a_workspace_without_a_name_that_can_be_typed_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="letters"):
        rules.workspace_slug(name)


def test_a_sentence_is_a_good_password() -> None:
    rules.check_password("correct horse battery", "anna@example.org")


@pytest.mark.parametrize(
    "password",
    [
        "short", "x" * 257, "aaaaaaaaaaaaaaaa", "abababababababab", "anna@example.org", "xx anna@example.org",
        "PassWord2026!!", "pocdir is great", "1234567890ab",
    ],
)  # fmt: skip
def test_a_password_that_is_tried_first_is_refused(password: str) -> None:
    with pytest.raises(Invalid) as refused:
        rules.check_password(password, "anna@example.org")
    assert refused.value.code == "password_weak"
