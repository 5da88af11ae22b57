"""The world as one equal square per country code: small states show, and no border is drawn."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from pocdir.web.svg import mark, picture

LEVELS = 5

_PITCH, _SIDE = 22, 20
# Each code near its place on the globe, as far as equal squares allow; drawn, so that it is easily corrected.
_WORLD = """
.. .. .. .. .. .. .. .. GL .. IS FO SJ NO DK SE AX FI EE .. .. .. .. .. .. .. .. ..
.. .. .. CA .. .. .. .. .. .. IM GB NL DE CZ PL LT LV BY .. .. .. RU .. .. .. .. ..
.. .. .. .. .. .. .. .. .. .. IE EU BE LU AT SK HU MD UA .. KZ .. .. .. .. .. .. ..
.. .. .. .. .. .. .. PM .. .. GG JE CH LI SI BA RS RO TR GE AZ UZ .. MN .. .. .. ..
.. .. .. US .. .. BM .. .. .. PT FR MC SM HR ME XK BG SY AM TM TJ KG CN KP JP .. ..
.. .. .. .. BS TC VG AI .. .. GI ES AD VA IT AL MK CY LB IQ IR AF NP BT KR .. .. ..
.. .. MX KY CU DO MF BL AG .. EH MA DZ TN MT LY GR PS JO KW BH PK BD MO TW .. .. ..
.. .. .. BZ HT PR SX KN GP .. CV MR ML NE .. .. EG IL SA QA AE IN MM LA HK .. UM ..
.. .. GT HN JM VI MS DM MQ .. GM SN BF .. .. TD .. SD ER YE OM .. TH VN .. MP .. ..
.. .. SV NI AW BQ VC LC BB .. GW GN TG BJ NG .. .. SS ET DJ .. LK .. KH PH GU .. ..
.. .. .. CR PA CW GD TT GF .. SL CI GH GQ CM CF .. UG KE SO .. MV .. MY BN PW FM MH
TK .. .. .. EC CO VE GY SR .. .. LR ST GA CG CD BI RW TZ .. SC .. .. SG ID PG NR KI
WS AS .. .. .. PE .. .. BR .. .. .. .. .. .. AO ZM MW KM YT .. IO CC CX TL .. SB TV
WF NU PF .. .. .. BO PY .. .. .. SH .. .. .. NA BW ZW MZ MG MU .. .. .. .. .. VU FJ
TO CK PN .. .. CL .. UY .. .. .. .. .. .. .. ZA LS SZ .. .. RE .. .. .. .. AU NC NF
.. .. .. .. .. .. AR .. .. .. .. .. .. .. .. .. .. .. .. .. TF .. .. .. .. .. NZ ..
.. .. .. .. .. .. .. FK GS .. .. .. AQ BV .. .. .. .. .. .. .. HM .. .. .. .. .. ..
"""
PLACES: Mapping[str, tuple[int, int]] = {
    code: (column, row)
    for row, line in enumerate(_WORLD.split("\n")[1:-1])
    for column, code in enumerate(line.split())
    if code != ".."
}


def tile_map(
    levels: Mapping[str, int | None],
    titles: Mapping[str, str],
    *,
    title: str,
    desc: str,
    ident: str = "world",
) -> Markup:
    """One square per code: level 0..4 as class q0..q4 and as a growing bar; None or absent is hatched (na).

    `titles` is what a tile says when pointed at (a name and its figure). Codes without a place are left out.
    Raises ValueError on any other level.
    """
    if not {level for level in levels.values() if level is not None} <= set(range(LEVELS)):
        raise ValueError(f"levels go from 0 to {LEVELS - 1}")
    known = {code: level for code in PLACES if (level := levels.get(code)) is not None}
    body = [
        _patterns(ident),
        Markup('<g text-anchor="middle">'),
        *(_tile(ident, code, known.get(code), titles.get(code, code)) for code in PLACES),
        Markup("</g>"),
        *(_bars(known, level) for level in range(LEVELS)),
    ]
    width, height = (_PITCH * (1 + max(place[axis] for place in PLACES.values())) for axis in (0, 1))
    return picture("chart tilegrid", ident, (width, height), title=title, desc=desc, body=body)


def _corner(code: str) -> tuple[int, int]:
    column, row = PLACES[code]
    return column * _PITCH + 1, row * _PITCH + 1


def _patterns(ident: str) -> Markup:
    return mark(
        '<defs><rect id="{i}-s" width="{side}" height="{side}" rx="3"/>'
        '<pattern id="{i}-h" width="5" height="5" patternUnits="userSpaceOnUse"'
        ' patternTransform="rotate(45)">'
        '<rect class="na" width="5" height="5"/><path class="hatch" d="M0 0v5"/></pattern></defs>',
        i=ident,
        side=_SIDE,
    )


def _tile(ident: str, code: str, level: int | None, title: str) -> Markup:
    x, y = _corner(code)
    return mark(
        '<g class="{kind}"><title>{title}</title><use href="#{i}-s" x="{x}" y="{y}"{fill}/>'
        '<text x="{middle}" y="{base}">{code}</text></g>',
        kind="na" if level is None else f"q{level}",
        title=title,
        i=ident,
        fill="" if level is not None else mark(' fill="url(#{i}-h)"', i=ident),
        x=x,
        y=y,
        middle=x + _SIDE // 2,
        base=y + 13,
        code=code,
    )


def _bars(known: Mapping[str, int], level: int) -> Markup:
    """A second sign beside the colour: the higher the level, the longer the bar at the foot of the tile."""
    corners = (_corner(code) for code, its in known.items() if its == level)
    path = "".join(f"M{x + 3} {y + 17}h{3 + 2.75 * level:g}" for x, y in corners)
    return mark('<path class="foot b{level}" d="{d}" pointer-events="none"/>', level=level, d=path)
