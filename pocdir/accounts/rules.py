"""Who may do what: the one authorization matrix, as data, and the rules of names, links and passwords."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
import secrets
import unicodedata
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

from pocdir.core import tlp, tokens
from pocdir.core.errors import Gone, Invalid

SITE_ROLES = ("steward", "auditor", "admin")
WORKSPACE_ROLES = ("researcher", "owner")
# Everybody is anonymous; every person with an account is signed_in besides (a token is not).
ROLES = ("anonymous", "signed_in", *WORKSPACE_ROLES, "team_contact", *SITE_ROLES)

# Whose row it is, seen from who asks: of the own workspace, team or account; of another one; of nobody.
RELATIONS = ("own", "other", "none")
_OWN = frozenset({"own"})
_NONE = frozenset({"none"})
_ALL = frozenset(RELATIONS)


def _row(**rights: frozenset[str]) -> MappingProxyType[str, frozenset[str]]:
    return MappingProxyType({role: rights.get(role, frozenset()) for role in ROLES})


_PUBLIC = _row(**dict.fromkeys(ROLES, _ALL))
_MEMBERS = _row(researcher=_OWN, owner=_OWN)
_OWNERS = _row(owner=_OWN)
_STEWARDS = _row(steward=_ALL)

# action -> role -> relations in which the role may do it. A right not written here does not exist.
MATRIX = MappingProxyType(
    {
        "page.read": _PUBLIC,  # public pages, health, the API's description
        "account.enter": _PUBLIC,  # sign in, open a one-time link
        "lookup.ask": _PUBLIC,
        "file.route": _PUBLIC,  # split a file into parcels; a result is only for whoever has its link
        "directory.read": _PUBLIC,
        "log.read": _PUBLIC,  # the transparency log: salted digests only
        "recipient.answer": _PUBLIC,  # whoever holds the link; the link decides which notification
        "feed.read": _PUBLIC,  # whoever holds a member's feed link; the link decides whose list
        "account.own": _row(signed_in=_OWN),
        "workspace.read": _MEMBERS,
        "workspace.manage": _OWNERS,
        "workspace.export": _OWNERS,  # take out all that the workspace has recorded
        "webhook.manage": _OWNERS,  # have another program told of new events
        "token.manage": _OWNERS,
        "incident.read": _MEMBERS,
        "incident.write": _MEMBERS,
        "notification.read": _row(researcher=_OWN, owner=_OWN, team_contact=_OWN),
        "notification.mail": _MEMBERS,  # read what came in by mail on it: not the team that it went to
        "notification.log": _MEMBERS,
        "policy.read": _MEMBERS,
        "policy.manage": _OWNERS,  # keep a policy, choose the workspace's own
        "notification.answer": _row(researcher=_OWN, owner=_OWN, team_contact=_OWN),  # add a fact to it
        "desk.read": _row(team_contact=_OWN),  # take out what was told to one's team
        "desk.manage": _row(team_contact=_OWN),  # its rules for reports, its promise, what it does not take
        "latency.read": _row(researcher=_OWN, owner=_OWN, team_contact=_OWN),
        "directory.edit": _STEWARDS,
        "directory.import": _STEWARDS,
        "directory.mark": _STEWARDS,
        "directory.merge": _STEWARDS,  # say that two entries are of one team, or are not
        "quarantine.read": _STEWARDS,
        "quarantine.decide": _STEWARDS,
        "entry.claim": _PUBLIC,  # ask to be let in as a team's own staff
        "entry.answer": _PUBLIC,  # whoever holds a link that went to an address of the entry
        "proposal.read": _row(steward=_ALL, team_contact=_OWN),
        "proposal.make": _row(steward=_ALL, team_contact=_OWN),
        "proposal.decide": _STEWARDS,
        "key.manage": _STEWARDS,  # OpenPGP keys of teams: bring, agree, refuse, retire
        "person.erase": _row(admin=_ALL),  # erase somebody else: account, and what names them in the record
        "ledger.read": _row(auditor=_ALL),
        "operate.read": _row(admin=_NONE),
        "outbox.read": _row(steward=_NONE, admin=_NONE),
        "outbox.manage": _row(steward=_NONE, admin=_NONE),
        "sending.allow": _row(steward=_NONE, admin=_NONE),  # let a workspace send its notifications from here
    }
)
ACTIONS = tuple(MATRIX)

# Views that are not ours to guard: files of the look, and the API's description.
UNGUARDED = frozenset({"static", "api-docs.openapi_json"})

# The strictest label a role may see where an answer speaks of rows that are not its own.
CEILINGS = MappingProxyType({("auditor", "ledger.read"): tlp.GREEN})

# What only a person does, so that a stolen token cannot make further tokens, let people in or be a second pair of eyes.
PERSONAL = frozenset(
    {"account.enter", "account.own", "workspace.manage", "token.manage", "quarantine.decide", "sending.allow"}
)
SCOPES = tuple(
    action
    for action, row in MATRIX.items()
    if action not in PERSONAL and row["anonymous"] != _ALL and (row["owner"] or row["team_contact"])
)

# What a token does for the directory when it is named: its maker was the operator, or is a steward still.
STEWARD_SCOPES = tuple(
    action
    for action, row in MATRIX.items()
    if row["steward"] and row["anonymous"] != _ALL and action not in SCOPES and action not in PERSONAL
)
# What a token does that the operator made on the command line, and named it for.
OPERATOR_SCOPES = ("person.erase",)
ALL_SCOPES = SCOPES + STEWARD_SCOPES + OPERATOR_SCOPES
OPERATOR = "operator"  # who acts on the command line

LINK_LASTS = dt.timedelta(days=7)
TOKEN_LASTS = dt.timedelta(days=365)
TOKEN_LASTS_AT_MOST = dt.timedelta(days=5 * 365)
SIGN_IN_LASTS = dt.timedelta(days=7)
FRESH_FOR = dt.timedelta(hours=1)
PASSWORD_LENGTH = (12, 256)

_PREFIX_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_TOKEN = re.compile(r"pocdir_([a-z2-7]{8})_([0-9a-f]{32})")


def may(
    roles: Iterable[str], action: str, relation: str, label: str | None = None, *, scopes: Iterable[str] = ()
) -> bool:
    """Whether somebody with these roles may do the action on a row in this relation (and TLP label).

    `scopes`: those of an API token; none means no narrowing.
    """
    narrowed = frozenset(scopes)
    for role in roles:
        if relation not in MATRIX[action][role] or (
            narrowed and action not in narrowed and role != "anonymous"
        ):
            continue
        ceiling = CEILINGS.get((role, action))
        if label is None or relation == "own" or ceiling is None or tlp.is_at_least(ceiling, label):
            return True
    return False


def may_at_all(roles: Iterable[str], action: str) -> bool:
    """Whether there is any row on which somebody with these roles may do the action."""
    row = MATRIX[action]
    return any(row[role] for role in roles)


def token_roles(
    *, workspace: bool, team: bool, scopes: Iterable[str], by_steward: bool, by_operator: bool = False
) -> tuple[tuple[str, ...], frozenset[str]]:
    """The roles an API token stands for, and the actions it is narrowed to.

    Of a workspace it stands for an owner, of a team for a contact, and for a steward only in the actions of a
    steward that it names (`by_steward`: whoever made it still may); for an admin only in those of OPERATOR_SCOPES that
    it names and the operator gave it (`by_operator`); for an auditor never.
    """
    named = frozenset(scopes)
    steward = by_steward and not named.isdisjoint(STEWARD_SCOPES)
    admin = by_operator and not named.isdisjoint(OPERATOR_SCOPES)
    held = (("owner", workspace), ("team_contact", team), ("steward", steward), ("admin", admin))
    return ("anonymous", *(role for role, is_held in held if is_held)), named or frozenset(SCOPES)


@dataclass(frozen=True, slots=True)
class NewToken:
    """An API token as it is shown once, and what is kept of it."""

    text: str
    prefix: str
    digest: str


def new_token() -> NewToken:
    """`pocdir_<prefix>_<secret>` with 128 random bits; kept is its SHA-256 only.

    A fast hash is right here: nobody guesses 128 random bits, and it is computed on every request.
    """
    prefix = "".join(secrets.choice(_PREFIX_LETTERS) for _ in range(8))
    text = f"pocdir_{prefix}_{secrets.token_hex(16)}"
    return NewToken(text, prefix, token_digest(text))


def token_prefix(text: str) -> str | None:
    """The public part of a token; None when the text is no token of ours."""
    match = _TOKEN.fullmatch(text)
    return match[1] if match else None


def token_digest(text: str) -> str:
    """What the database keeps of a token."""
    return hashlib.sha256(text.encode()).hexdigest()


def same_digest(one: str, other: str) -> bool:
    """Compared in a time that does not depend on where they differ."""
    return hmac.compare_digest(one, other)


def one_time_link(secret: bytes, purpose: str, ref: str, expires_at: dt.datetime, state: str) -> str:
    """The token of a link for the row `ref`; it dies at its time and as soon as the row's `state` changes."""
    payload = uuid.UUID(ref).bytes + int(expires_at.timestamp()).to_bytes(6, "big")
    return tokens.sign(secret, purpose, payload, state)


def is_link(secret: bytes, purpose: str, token: str, state: str) -> bool:
    """Whether we made this link, for this purpose and a row in this state."""
    return tokens.is_signed(secret, purpose, token, state)


def linked_ref(token: str, now: dt.datetime) -> str:
    """The ref that a one-time link names, not yet proven; raises Gone `link_used` for no or an old link."""
    payload = tokens.payload_of(token)
    if payload is None or len(payload) != 22 or int.from_bytes(payload[16:], "big") <= now.timestamp():
        raise link_used()
    return str(uuid.UUID(bytes=payload[:16]))


def link_used() -> Gone:
    """The one answer to a link that is forged, used or old."""
    return Gone(
        "link_used",
        "this link works once and for seven days; it is used, too old or incomplete. If you have just chosen a "
        "password with it, sign in with that; else ask for a new one",
    )


def safe_next(target: str | None, otherwise: str) -> str:
    """Where to go after signing in: a path of this service only, else `otherwise`."""
    if not target or not target.startswith("/") or target.startswith("//") or "\\" in target:
        return otherwise
    if any(ord(character) < 0x21 or ord(character) == 0x7F for character in target):
        return otherwise
    try:
        parts = urlsplit(target)
    except ValueError:
        return otherwise
    return otherwise if parts.scheme or parts.netloc else target


def address_key(text: str) -> str:
    """A mail address as accounts are found by it: one spelling, whatever its case."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


def workspace_slug(name: str) -> str:
    """`My Lab` is `my-lab`; raises Invalid `workspace_invalid` when no letter or digit is left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if not 1 <= len(slug) <= 60:
        raise Invalid(
            "workspace_invalid", "a name with 1 to 60 letters (a-z) or digits is right", where="workspace"
        )
    return slug


def check_password(password: str, email: str) -> None:
    """Raises Invalid `password_weak`: long enough, not one's own address, not a few keys over and over."""
    least, most = PASSWORD_LENGTH
    wrong = None
    folded = password.casefold()
    if not least <= len(password) <= most:
        wrong = f"{least} to {most} characters are right"
    elif len(set(folded)) < 5:
        wrong = "use more different characters"
    elif folded in address_key(email) or address_key(email) in folded or "pocdir" in folded:
        wrong = "leave out your address and the name of this service"
    elif any(run in folded for run in ("password", "12345678", "qwertyui", "qwertzui", "azertyui")):
        wrong = "it is among the first that anybody would try"
    if wrong:
        raise Invalid("password_weak", wrong, where="password")
