"""The domains that are a team's own, as far as its entry shows: a weak reason to ask that team about them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from pocdir.core.domains import parse_domain, registrable_domain
from pocdir.directory.rules.record import Channel, Team

# Where everybody may have a mailbox or a homepage: never one team's own.
_EVERYBODYS = """
126.com 163.com aliyun.com aol.com bigpond.com bk.ru blogspot.com bluewin.ch bol.com.br btinternet.com
centrum.cz comcast.net daum.net fastmail.com foxmail.com free.fr freenet.de github.io gitlab.io gmail.com
gmx.at gmx.ch gmx.com gmx.de gmx.net google.com googlemail.com hanmail.net hotmail.com hushmail.com icloud.com
inbox.lv inbox.ru interia.pl laposte.net libero.it list.ru live.com live.nl mac.com mail.bg mail.com mail.ee
mail.ru mailbox.org me.com msn.com naver.com o2.pl onet.pl op.pl orange.fr outlook.com posteo.de proton.me
protonmail.ch protonmail.com qq.com rambler.ru rediffmail.com riseup.net sapo.pt seznam.cz sfr.fr sina.cn
sina.com sky.com sohu.com t-online.de telenet.be tiscali.it tuta.com tuta.io tutanota.com tutanota.de ukr.net
uol.com.br verizon.net virgilio.it wanadoo.fr web.de wordpress.com wp.pl ya.ru yahoo.co.jp yahoo.co.uk
yahoo.com yahoo.de yahoo.fr yandex.com yandex.ru yeah.net ymail.com zoho.com
"""
OF_EVERYBODY = frozenset(_EVERYBODYS.split())


class OwnDomains(NamedTuple):
    """By domain: the one team whose own it is, with the channel that shows it; else those who share it."""

    own: Mapping[str, tuple[Team, Channel]]
    shared: Mapping[str, tuple[Team, ...]]


def own_domains(teams: Iterable[Team], audiences: frozenset[str]) -> OwnDomains:
    """Which domains are whose.

    A domain is a team's own where the team has a mailbox, and its website stands at it or below it (`cert@aco.net`,
    https://cert.aco.net/). It is nobody's when a second team has a mailbox or its website there (a ministry's), when
    everybody may have a mailbox there, or when it is a public suffix.
    """
    shown: dict[str, tuple[Team, Channel]] = {}
    users: dict[str, dict[str, Team]] = defaultdict(dict)
    for team in teams:
        site = _site(team.website)
        users[site][team.slug] = team
        for channel in team.channels:
            name = _mail_domain(channel)
            if name is None or channel.state == "withdrawn" or channel.audience not in audiences:
                continue
            users[name][team.slug] = team
            if f".{site}".endswith(f".{name}") and _may_be_own(name):
                shown.setdefault(name, (team, channel))
    return OwnDomains(
        {name: found for name, found in shown.items() if len(users[name]) == 1},
        {name: tuple(users[name].values()) for name in shown if len(users[name]) > 1},
    )


def _may_be_own(name: str) -> bool:
    domain = registrable_domain(name)
    return domain is not None and OF_EVERYBODY.isdisjoint((name, domain))


def _site(website: str | None) -> str:
    """The website's host without `www.`; empty where there is none, or it is no name."""
    try:
        return parse_domain(urlsplit(website or "").hostname or "").removeprefix("www.")
    except ValueError:
        return ""


def _mail_domain(channel: Channel) -> str | None:
    try:
        return parse_domain(channel.value.rpartition("@")[2]) if channel.kind == "email" else None
    except ValueError:
        return None
