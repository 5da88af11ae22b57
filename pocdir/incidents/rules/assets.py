"""Assets of an incident: one spelling per address, from JSON or from a researcher's CSV."""

from __future__ import annotations

import csv
import io
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from pocdir.core.domains import parse_domain
from pocdir.core.errors import Invalid

ASSET_KINDS = ("ip", "domain", "url", "hash")
MOST_ASSETS = 100_000
MOST_NAMED = 20  # wrong lines in one refusal
MOST_BYTES = 64 * 1024**2  # of a CSV of them, with its other columns
COLUMNS = {
    "ip": ("ip", "source.ip", "src_ip", "address"),
    "domain": ("fqdn", "source.fqdn", "domain", "hostname", "host"),
    "url": ("url", "source.url"),
    "hash": ("hash", "sha256", "malware.hash.sha256", "md5", "sha1"),
}
PORT_COLUMNS = ("port", "source.port", "src_port")
_HASH = re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{128}")


@dataclass(frozen=True, slots=True)
class AssetValue:
    """What is concerned: an address, name, URL or digest; port 0 means none."""

    kind: str
    value: str
    port: int = 0
    control: bool = False


def asset(kind: str, value: str, port: int | None = None, control: bool = False) -> AssetValue:
    """The asset in its one spelling; raises Invalid `asset_invalid`."""
    if kind not in ASSET_KINDS:
        raise Invalid("asset_invalid", f"kind: one of {', '.join(ASSET_KINDS)} is right", where="kind")
    if port is not None and not 0 < port < 65536:
        raise Invalid("asset_invalid", "a port from 1 to 65535 is right", where="port")
    text = refang(value)
    if not text or len(text) > 2000 or any(ord(c) < 33 or ord(c) == 127 for c in text):
        raise Invalid("asset_invalid", "empty, too long, or with spaces or control characters", where="value")
    return AssetValue(kind, _CHECKS[kind](text), port or 0, control)


def refang(text: str) -> str:
    """Undo the usual ways of making an indicator harmless: `hxxp://`, `[.]`, `(dot)`."""
    text = text.strip().replace("[.]", ".").replace("(.)", ".").replace("[dot]", ".").replace("(dot)", ".")
    text = text.replace("[:]", ":")
    return re.sub(r"^hxxp(s?)://", r"http\1://", text, flags=re.IGNORECASE)


def assets_from_csv(data: bytes) -> list[AssetValue]:
    """Assets of a CSV with recognised columns, each once, in order.

    Raises Invalid `csv_invalid` (no text, no column with an address, no rows) or `asset_invalid` with the lines.
    """
    rows = _rows(data)
    header = [name.strip().lower() for name in rows[0][1]]
    columns = [
        (kind, header.index(name)) for kind, names in COLUMNS.items() for name in names if name in header
    ]
    if not columns:
        known = ", ".join(name for names in COLUMNS.values() for name in names)
        raise Invalid("csv_invalid", f"no column with an address; one of {known} is right", where="line 1")
    port_at = next((header.index(name) for name in PORT_COLUMNS if name in header), None)
    found: dict[tuple[str, str, int], AssetValue] = {}
    wrong: dict[str, str] = {}
    for number, row in rows[1:]:
        for kind, position in columns:
            text = row[position].strip() if position < len(row) else ""
            if not text:
                continue
            try:
                given = asset(kind, text, _port(row, port_at))
            except Invalid as error:
                wrong[f"line {number}"] = f"{text[:60]!r}: {error.message}"
                break
            found.setdefault((given.kind, given.value, given.port), given)
            break
    require_all(wrong)
    if not found:
        raise Invalid("csv_invalid", "no row with an address", where="line 2")
    return list(found.values())


def require_all(wrong: Mapping[str, str]) -> None:
    """Raises Invalid `asset_invalid` that says of each place what is wrong there, of the first MOST_NAMED."""
    if not wrong:
        return
    named = dict(list(wrong.items())[:MOST_NAMED])
    words = "; ".join(f"{where}: {what}" for where, what in named.items())
    more = f"; and {len(wrong) - len(named)} more" if len(wrong) > len(named) else ""
    raise Invalid("asset_invalid", words + more, errors={where: [what] for where, what in named.items()})


def _rows(data: bytes) -> list[tuple[int, list[str]]]:
    """Each row that is not empty, with the line on which it ends."""
    if len(data) > MOST_BYTES:
        raise Invalid("csv_invalid", f"more than {MOST_BYTES // 1024**2} MB; split the file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid("csv_invalid", "this is no UTF-8 text") from None
    if "\0" in text or not text.strip():
        raise Invalid("csv_invalid", "this is no CSV: empty, or with NUL characters")
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t|", key=first.count)
    try:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        rows = [(lines.line_num, row) for row in lines if any(row)]
    except csv.Error as error:
        raise Invalid("csv_invalid", f"this is no CSV: {error}") from None
    if not rows:
        raise Invalid(
            "csv_invalid", "no row with anything in it; the first names the columns", where="line 1"
        )
    if len(rows) > MOST_ASSETS + 1:
        raise Invalid("csv_invalid", f"more than {MOST_ASSETS} rows; split the file")
    return rows


def _port(row: list[str], position: int | None) -> int | None:
    text = row[position].strip() if position is not None and position < len(row) else ""
    if not text or text == "0":
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 5:
        raise Invalid("asset_invalid", f"{text[:20]!r} is no port; 1 to 65535 is right", where="port")
    return int(text)


def _ip(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise Invalid(
            "asset_invalid", "this is no IPv4 or IPv6 address; write 203.0.113.7", where="value"
        ) from None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            raise Invalid("asset_invalid", "an address with a zone means nothing elsewhere", where="value")
        return str(address.ipv4_mapped or address)
    return str(address)


def _domain(text: str) -> str:
    try:
        return parse_domain(text)
    except ValueError as error:
        raise Invalid("asset_invalid", f"this is no domain name: {error}", where="value") from None


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https", "ftp", "tcp", "udp"):
        raise Invalid("asset_invalid", "this is no URL with a host; write http://host/path", where="value")
    return text


def _hash(text: str) -> str:
    if not _HASH.fullmatch(text.lower()):
        raise Invalid("asset_invalid", "this is no MD5, SHA-1, SHA-256 or SHA-512 in hex", where="value")
    return text.lower()


_CHECKS = {"ip": _ip, "domain": _domain, "url": _url, "hash": _hash}


def guessed_asset(text: str) -> AssetValue:
    """An asset whose kind is told from its form; raises Invalid `asset_invalid`."""
    for kind in ("ip", "hash", "url", "domain"):
        try:
            return asset(kind, text)
        except Invalid:
            continue
    message = f"{text[:60]!r} is no address, name, URL or digest; write 203.0.113.7 or www.example.org"
    raise Invalid("asset_invalid", message, where="value")


def assets_from_lines(text: str) -> list[AssetValue]:
    """Assets of a text, one on each line (`203.0.113.7`, `[2001:db8::1]:80`, a name, ...), each once.

    Raises Invalid `asset_invalid` that names the lines.
    """
    found: dict[tuple[str, str, int], AssetValue] = {}
    wrong: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            given = _with_port(line.strip())
        except Invalid as error:
            wrong[f"line {number}"] = error.message
            continue
        found.setdefault((given.kind, given.value, given.port), given)
    require_all(wrong)
    return list(found.values())


def _with_port(text: str) -> AssetValue:
    matched = re.fullmatch(r"(\[[^\]]+\]|[^:/\s]+):(\d{1,5})", refang(text))
    if matched is None:
        return guessed_asset(text)
    host = guessed_asset(matched[1].strip("[]"))
    return asset(host.kind, host.value, int(matched[2]))
