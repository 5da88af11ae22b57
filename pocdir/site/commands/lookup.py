"""`pocdir lookup`: whom to tell, from the command line; loads nothing that serves pages."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

import click

from pocdir.core import clock
from pocdir.core.errors import Invalid
from pocdir.routing.queries import index_as_of, question
from pocdir.site.commands.narrowing import narrowing_options
from pocdir.site.queries.lookup import looked_up, not_looked_up
from pocdir.web.terminal import database_context, emit, json_option, plain, wrong_usage


@click.command()
@click.argument("indicators", metavar="INDICATOR...", nargs=-1, required=True)
@narrowing_options
@click.option("--as-of", metavar="DAY", help="As the directory stood at the end of that day.")
@json_option
def lookup(indicators: tuple[str, ...], as_of: str | None, as_json: bool, **narrowed: Any) -> int:
    """Whom do I tell? Contacts for addresses, networks, names, countries; `-` reads them from standard input.

    Exit 0 when each has a contact (or cannot have one: private space), 1 when one has none, 2 when one is no
    indicator.

    \b
    Example:  pocdir lookup 193.0.6.139 'hxxps://www[.]cert[.]at/' --kind-of-report malicious-code
    """
    worst = 0
    with database_context():
        with wrong_usage():
            known, on = index_as_of(as_of, now=clock.now())
            asked = question(known, on=on, **narrowed)
        for text in _lines(indicators):
            try:
                answer = looked_up(known, text, asked)
            except Invalid as error:
                click.echo(f"pocdir: {plain(text)[:200]}: {error.message}", err=True)
                worst = 2
                if as_json:
                    emit(not_looked_up(known, text, error.message))
                continue
            worst = max(worst, int(answer["status"] == "no_contact"))
            if as_json:
                emit(answer)
            else:
                click.echo("\n".join(plain(line) for line in readable(answer)) + "\n")
    return worst


def readable(answer: dict[str, Any]) -> Iterator[str]:
    """The answer for a person, line by line: who, how, why; then who was ruled out, and what else to know."""
    query = answer["query"]
    yield query["input"] if query["input"] == query["value"] else f"{query['input']}  ({query['value']})"
    if answer["registry"]:
        yield f"  {_network(answer['registry'])}"
    for contact in answer["contacts"]:
        yield from _contact(contact)
    if answer["status"] == "no_contact":
        yield "  no contact is known for this"
    for out in answer["rejected"]:
        yield f"  ruled out: {out['team']['slug']} ({out['reason']})"
    for note in answer["notes"]:
        yield f"  note: {note}"


def _lines(indicators: Iterable[str]) -> Iterator[str]:
    for text in indicators:
        if text == "-":
            lines = (line.decode("utf-8", "replace").strip() for line in sys.stdin.buffer)
            yield from (line for line in lines if line)
        else:
            yield text


def _network(registry: dict[str, Any]) -> str:
    words = [registry["prefix"], f"AS{registry['asn']}" if registry["asn"] else None, registry["holder"]]
    countries = {"registered": "registered in", "located": "located in", "asn": "the AS in"}
    words += [
        f"{said} {registry['countries'][key]}"
        for key, said in countries.items()
        if registry["countries"][key]
    ]
    return ", ".join(word for word in words if word) + f" (registry of {registry['as_of']})"


def _contact(contact: dict[str, Any]) -> Iterator[str]:
    team, channel, basis = contact["team"], contact["channel"], contact["basis"]
    place = f", {team['country']}" if team["country"] else ""
    yield f"  {contact['role']:<9} {team['name']}  ({team['slug']}, {team['kind']}{place})"
    yield f"            {channel['kind']}: {channel['value']}  ({channel['state']})"
    if channel["openpgp_fingerprint"]:
        yield f"            OpenPGP: {channel['openpgp_fingerprint']}"
    source = ", ".join(word for word in (basis["source"], basis["as_of"]) if word)
    if contact["try_next_after"]:
        yield f"            without an answer for {contact['try_next_after']}: the next one"
    yield f"            why: {'; '.join(contact['reasons'])}  ({basis['key']} {basis['value']}; {source})"
