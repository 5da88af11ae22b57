"""Webhooks as Standard Webhooks says: signature, retries, payload; and to which addresses nothing may go."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import ipaddress
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pocdir.core.errors import Forbidden, Invalid
from pocdir.core.times import isoformat
from pocdir.ledger.rules.events import Event

OFF, HTTPS, HTTP = MODES = ("off", "https", "http")
MOST = 20  # webhooks of a workspace
TEST = "webhook.test"
# The pauses that the specification suggests, in seconds; then the message is given up.
PAUSES = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
GIVEN_UP_AFTER = dt.timedelta(days=5)  # of failures alone: then the webhook is switched off
KEPT = dt.timedelta(days=30)  # what was settled
GONE = 410  # the receiver wants no more

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
# IPv6 that carries an IPv4 address at these bytes, besides mapped, 6to4 and Teredo; and what `is_global` takes for
# global in some versions (RFC 6890, RFC 8215, RFC 9637, RFC 9602, RFC 3879).
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")
_NEVER = tuple(
    ipaddress.ip_network(text)
    for text in (
        "64:ff9b:1::/48", "100::/64", "2001::/23", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10", "0.0.0.0/8",
        "192.0.0.0/24", "192.88.99.0/24",
    )
)  # fmt: skip


class Target(NamedTuple):
    """Where a webhook goes: the parts of its address."""

    scheme: str
    host: str
    port: int
    path: str  # with its query


def target_of(url: str, mode: str) -> Target:
    """The parts of an address to write to; raises Invalid `webhook_url_invalid`, Forbidden `webhooks_off`."""
    if mode == OFF:
        raise Forbidden("webhooks_off", "the operator of this service sends no webhooks (POCDIR_WEBHOOKS)")
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise _url_invalid("no address can be read from it") from None
    if (
        len(url) > 500
        or not url.isascii()
        or any(sign <= " " or sign == "\x7f" or sign == "\\" for sign in url)
    ):
        raise _url_invalid("at most 500 characters of ASCII without blanks are right")
    if parts.scheme != "https" and not (parts.scheme == "http" and mode == HTTP):
        raise _url_invalid("an address that begins with https:// is right")
    if not host or "@" in parts.netloc or parts.fragment:
        raise _url_invalid("a host, without a user and without a fragment, is right")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path)


def _url_invalid(message: str) -> Invalid:
    return Invalid("webhook_url_invalid", message, where="url")


def may_reach(address: str, inside: Sequence[Network] = ()) -> bool:
    """Whether a request may go to this IP address: a public one, in every address that it carries.

    `inside`: networks that the operator has named, whatever they are.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if any(ip.version == network.version and ip in network for network in inside):
        return True
    return all(_is_public(each) for each in (ip, *_carried(ip)))


def _is_public(ip: Ip) -> bool:
    if any(ip.version == network.version and ip in network for network in _NEVER):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_private or ip.is_loopback)


def _carried(ip: Ip) -> list[Ip]:
    if isinstance(ip, ipaddress.IPv4Address):
        return []
    found: list[Ip | None] = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
    if ip in _NAT64 or ip in _COMPATIBLE:
        found.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
    return [each for each in found if each is not None]


def networks(text: str) -> tuple[Network, ...]:
    """Networks as a setting names them, separated by commas; raises ValueError."""
    return tuple(ipaddress.ip_network(each.strip()) for each in text.split(",") if each.strip())


def secret_of(service_secret: bytes, ref: str, generation: int) -> str:
    """The secret that a webhook's receiver keeps: `whsec_` and 32 bytes, derived and so kept nowhere here."""
    key = hmac.digest(service_secret, f"webhook\0{ref}\0{generation}".encode(), "sha256")
    return "whsec_" + base64.b64encode(key).decode()


def headers(secret: str, message_id: str, body: bytes, now: dt.datetime) -> dict[str, str]:
    """The three headers (Standard Webhooks 1.0.0): what is signed is id, timestamp and body, joined by full stops."""
    timestamp = str(int(now.timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.digest(key, b".".join((message_id.encode(), timestamp.encode(), body)), hashlib.sha256)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": "v1," + base64.b64encode(mac).decode(),
    }


def body_of(
    event: Event, *, red: bool, contested: Sequence[Event] = (), links: Mapping[str, str | None]
) -> bytes:
    """What is sent: that something happened, and where to read it. Nothing sealed; of TLP:RED no team, no value.

    `contested`: by what the team contests the notification: that it does, and when; its words are sealed.
    """
    data: dict[str, Any] = {
        "event": event.id,
        "occurred_at": isoformat(event.occurred_at),
        "precision": event.precision,
        "claimed_by": event.claimed_by,
        "assurance": event.assurance,
        "incident": event.incident,
        "notification": event.notification,
        "team": None if red else event.team,
        "payload": None if red else dict(event.payload),
        "contested": [{"event": each.id, "occurred_at": isoformat(each.occurred_at)} for each in contested],
        **links,
    }
    return _json({"type": event.type, "timestamp": isoformat(event.recorded_at), "data": data})


def test_body(now: dt.datetime, ref: str) -> bytes:
    """A message that says nothing happened."""
    return _json({"type": TEST, "timestamp": isoformat(now), "data": {"webhook": ref}})


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def pause_after(attempts: int) -> dt.timedelta | None:
    """How long to wait after so many attempts of one message; None: it is given up."""
    return dt.timedelta(seconds=PAUSES[attempts - 1]) if attempts <= len(PAUSES) else None


def is_theirs(status: int | None) -> bool:
    """Whether a failure is of the whole receiver (no answer, busy, broken), not of one message."""
    return status is None or status == 429 or status >= 500
