"""What a person decided on reading the material: the rows speak for themselves in everything else."""

from __future__ import annotations

ASNS_END = 400_000  # no AS number of that size had been assigned when the sources were written (2012, 2021)

_GITHUB = "https://github.com"
NAMED_SOURCES: dict[str, tuple[str, str | None]] = {
    "certtools/contactdb@51c19fc2": (
        "Trusted Introducer directory of 2012-03-29 (kept in certtools/contactdb)",
        f"{_GITHUB}/certtools/contactdb/blob/51c19fc2/old2/old/html/certmap.kml",
    ),
    "certtools/intelmq@d5e3e411": (
        "Trusted Introducer directory, four teams in 2021 (kept in certtools/intelmq)",
        f"{_GITHUB}/certtools/intelmq/blob/d5e3e411/intelmq/tests/bots/experts/trusted_introducer_lookup"
        "/test_data/teams.json",
    ),
    "abusix/inbound-parsers@a0c8d6b7": (
        "Senders of real reports (abusix/inbound-parsers)",
        f"{_GITHUB}/abusix/inbound-parsers/tree/a0c8d6b7/testdata/sample_mails",
    ),
    "enisaeu/CNW@48f18e97": (
        "EU CSIRTs Network members (enisaeu/CNW)",
        f"{_GITHUB}/enisaeu/CNW/blob/48f18e97/advisories/CNW-20XX-XX-template.md",
    ),
    "CVEProject/cve-website@d815acc9": (
        "CVE numbering authorities (CVEProject/cve-website)",
        f"{_GITHUB}/CVEProject/cve-website/blob/d815acc9/src/assets/data/CNAsList.json",
    ),
    "MeltingBot/CSIRT-REGIONS-FRANCE@7f20eada": (
        "CSIRT-REGIONS-FRANCE (MeltingBot)",
        f"{_GITHUB}/MeltingBot/CSIRT-REGIONS-FRANCE/blob/7f20eada/CSIRT_France.csv",
    ),
    "Ola-Daniel/CERTopedia@efde1253": (
        "CERTopedia (Ola-Daniel)",
        f"{_GITHUB}/Ola-Daniel/CERTopedia/blob/efde1253/data/certs.json",
    ),
    "http://technodocbox.com": (
        "APCERT annual report 2017 (members)",
        "http://technodocbox.com/Data_Centers/78433972-Apcert-annual-report-2017.html",
    ),
    "CERT-MC RFC 2350": (
        "CERT-MC RFC 2350 v1.7",
        "https://fdocuments.fr/document/cert-mc-rfc-2350-tl-377-98-98-93-93-amsncontactgouvmc-412-ministre.html",
    ),
    "index id 54868143494": ("Unofficial quiz text in public code", None),
    "index id 57949579776": ("Unofficial list in public code: Tanzania", None),
    "index id 65716006516": ("Unofficial list in public code: consumer agencies", None),
    "index id 68570430466": ("PaCSON members (profiles of Oceania)", "https://pacson.org/about-us"),
    "index ids 19204197251": ("Cambodian Digital Security Committee web site", None),
    "index ids 6468470600": ("Government of Bhutan web sites", None),
}

DROPPED_ADDRESSES = frozenset({
    "certbw@bsi.bund.de",  # the armed forces' team, given as CERT-Bund by one list
    "phishing@cert.is",  # for forwarded phishing mails alone
    "phishing@jcsc.je",
    "sers@ocsia.im",  # for suspicious mails alone
})  # fmt: skip
DROPPED_PHONES = frozenset({"+996 11 407 6366", "+(686) 40 455 200"})  # misprints that lead elsewhere

GENERAL_ADDRESSES = frozenset({
    "nscirt@cran.na",  # "for general inquiries"
    "amsn_contact@gouv.mc",  # from a document's footer
    "ocsia@gov.im",  # from a privacy notice
    "ti@trusted-introducer.org",  # of a directory, not of a team
    "enquiries@ncsc.gov.uk",
})  # fmt: skip
VULNERABILITY_ADDRESSES = frozenset({"productsecurity@skype.net", "psirt@cisco.com", "psirt@ericsson.com"})
GENERAL_PHONES = frozenset({"+237 222 200 700", "+44 1624 685557"})  # switchboards

# Seen as the sender of reports, or named so: nobody says that they take any in.
SENDERS = frozenset({
    "alertas@cnsd.gob.pe",
    "alerts@cert-ro.eu",
    "alerts@cert.ro",
    "alerts@dnsc.ro",
    "autoreports@shadowserver.org",
    "ir@ops.cert.govt.nz",
    "otrs@cyber999.my",
    "reports@cert.no",
    "reports@reports.abusehub.nl",
    "reports@reports.cert-bund.de",
    "soc@us-cert.gov",
})  # fmt: skip
DOUBTFUL_ADDRESSES = frozenset({"incident@zm-cirt.zm"})  # its domain is not the team's

# Not a team's own page: a law, a ministry, a parent body, an announcement.
DROPPED_WEBSITES = frozenset({
    "https://portaljuridicandorra.ad/L2022022",
    "https://www.micitt.go.cr",
    "http://www.suscerte.gob.ve",
    "https://gouv.nc/actualites/28-10-2024/lancement-officiel-du-centre-cyber-du-pacifique",
    "https://samoagovt.ws/2021/05/national-computer-emergency-response-team-samcert-in-operation-commemoration",
    "https://pacson.org",
    "https://www.artci.ci",
})  # fmt: skip

# Hosts that several bodies share: having one in common says nothing.
SHARED_HOSTS = frozenset(
    {"github.com", "pacson.org", "gov.mt", "gov.im", "gov.il", "www.gov.il", "www.gob.pe"}
)

# Two names of one team, as key(): the rows' own addresses, names and hosts show all others.
SAME_TEAM: dict[tuple[str, str], str] = {
    ("CM", "anticcirt"): "cirt",
    ("CZ", "govcertcz"): "nukib",
    ("CZ", "nukibgovcertcz"): "nukib",
    ("DE", "certbundreports"): "certbund",
    ("IL", "certil"): "incd",
    ("IR", "mahercertir"): "maher",
    ("KR", "fsiisac"): "fsi",
    ("LK", "srilankacertcc"): "srilankacert",
    ("MY", "mycertcyber999"): "mycert",
    ("NO", "norcertncscno"): "norcert",
    ("PT", "cncs"): "certpt",
    ("US", "cisacg"): "cisa",
    ("US", "icscert"): "cisa",
}
# Addresses that a list gives without a team, and that carry a team's name.
TEAM_OF_ADDRESS: dict[str, str] = {
    "cert@govcert.gov.hk": "govcerthk",
    "ocert999@ita.gov.om": "ocert",
    "twncert@twncert.org.tw": "twncert",
}
MISPLACED = frozenset({("CFCS / CERTDK", "cert@cert.dk")})  # the academic team's address

NAMED_AS: dict[tuple[str, str], str] = {("US", "uscert"): "CISA"}  # a later name, by the row that gives it
KIND_OF: dict[tuple[str, str], str] = {
    ("US", "certcc"): "coordinator",
    ("ZZ", "firstsecretariat"): "coordinator",
    ("ZZ", "ti"): "coordinator",
}
SECTORS: dict[tuple[str, str], str] = {
    ("AT", "aec"): "energy",
    ("KR", "fsi"): "finance",
    ("LS", "lscomcsirt"): "communications",
}
# What a row's note quotes of the team's own constituency.
CONSTITUENCIES: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {
    ("DE", "certnrw"): (("asn", "43066"), ("domain", "nrw.de")),
}
NOT_NATIONAL = frozenset({("BA", "certrs")})  # of one entity, not of the whole country
NO_TEAM_CODES = frozenset({"CG", "TM"})  # an agency is named, and no team of it
_ITU = "An ITU profile of about 2014 says that no national team is officially recognised; old, to be checked."
_PACSON = "The list of PaCSON members names no team; PaCSON itself does not respond to incidents."
# What the sources say of codes for which they know no national team.
CODE_NOTES: dict[str, str] = {
    "AG": "A government team was announced for September 2025, a national one to follow.",
    "AO": "The government announced a response centre for the future (press of the 2020s).",
    "BA": "Teams for parts of the country are known (CERT RS for one entity), none for the whole.",
    "BM": "A national team is being set up (Cybersecurity Act 2024; ITU project of July 2025).",
    "BZ": "A report of 2016 (OAS, IDB) says that a police unit handles incidents, and no national team.",
    "CD": "A National Cybersecurity Agency (ANCY) is foreseen by law; it was not set up yet.",
    "CG": "An agency (ANSSI) manages incidents nationally; no team or contact of it is named.",
    "CK": "A member of PaCSON; no team is named.",
    "FJ": _PACSON,
    "FM": "A national team (CERT-FSM) is in development; the Department of Justice is in PaCSON.",
    "FO": "Press of 2023: no coordinated system exists; the strategy to 2026 plans an authority.",
    "GA": "Press repeats an ITU profile of about 2014: no national team; old, to be checked.",
    "GL": "The Agency for Digitisation is the authority for cyber security; no team is named.",
    "GN": "A national agency (ANSSI) exists; no team or contact of it is named.",
    "GQ": _ITU,
    "GT": "A bill proposes a national team (CSIRT-GT); an expert says that no body is responsible yet.",
    "HT": _ITU,
    "IQ": f"{_ITU} Press of the 2020s names a National Cyber Security Centre.",
    "KI": f"{_PACSON} The national contact there is the ICT division of a ministry.",
    "KN": _ITU,
    "KY": "A government site for awareness is named; no team is.",
    "LS": f"{_ITU} A sector team of the Communications Authority (Ls ComCSIRT) is known.",
    "MH": f"{_PACSON} The national contact there is the police department.",
    "NE": "An agency (ANSI) hosted the AfricaCERT symposium of 2025; no national team is named.",
    "NR": f"{_PACSON} The national contact there is the Department of Telecommunications.",
    "NU": "A member of PaCSON; no team is named.",
    "PW": f"{_PACSON} The national contact there is the Bureau of Public Safety.",
    "SB": "A project for a national team (SICERT) is known.",
    "SM": "Press of 2025 says that no national team is operational.",
    "TD": "An agency (ANSICE) hosted a review of capacities; no team or contact is named.",
    "TK": "A member of PaCSON; no team is named.",
    "TL": _ITU,
    "TM": "A State Cybersecurity Service is named; no team or contact of it is.",
    "TV": f"{_PACSON} The national contact there is the Department of ICT.",
    "VC": "A workshop of 2024 planned the establishment of a team.",
}
