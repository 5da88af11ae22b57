"""The documentation says what is there, all of it, and nothing that is gone."""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest

from pocdir import cli, config
from pocdir.accounts.rules import MATRIX, ROLES
from pocdir.app import create_app
from pocdir.core import errors
from pocdir.directory.formats.table import FORMATS
from pocdir.ledger.rules.payload import Name
from pocdir.ledger.rules.vocabulary import VOCABULARY
from pocdir.outreach.rules.posting import POSTED_BY
from pocdir.web.errors import CODES
from tests.conftest import NOW, settings_for

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
REFUSALS = {
    name: kind.status
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.Refusal)
}
ALMOST_EVERYWHERE = 3  # choices of so many event types or more stand in a table of their own;
MANY_WORDS = 9  # so do those with so many words or more, where the name has no others


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the tables under a heading, without their heads."""
    section = re.split(r"^#{1,3} ", (DOCS / page).read_text("utf-8"), flags=re.M)
    text = next(part for part in section if part.startswith(f"{heading}\n"))
    lines = [line for line in text.splitlines() if line.startswith("|")]
    # A bar within a code span is written \|.
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    ruled = [n for n, row in enumerate(cells) if set("".join(row)) <= set("- :")]
    return [row for n, row in enumerate(cells) if n not in ruled and n + 1 not in ruled]


def code(cell: str) -> str:
    return cell.strip("`")


def test_every_setting_is_documented_with_its_default(tmp_path: Path):
    documented = {code(row[0]): code(row[1]) for row in rows("settings.md", "Variables")}

    assert set(documented) == {f"POCDIR_{field.name.upper()}" for field in fields(config.Settings)}
    bare = {"POCDIR_DATA": str(tmp_path)}
    for variable, default in documented.items():
        given = {} if default in ("", "see below") else {variable: default}
        assert config.load({**bare, **given}) == config.load(bare), f"{variable} has another default"


def commands(group: click.Group, path: str = "pocdir") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def test_every_command_is_documented_with_its_options_and_an_example():
    text = (DOCS / "commands.md").read_text("utf-8")
    parts = [part for part in re.split(r"^#{2,3} ", text, flags=re.M) if part.startswith("pocdir ")]
    documented = {part.split("\n", 1)[0]: part.split("\n", 1)[1] for part in parts}
    known = dict(commands(cli.pocdir))

    assert set(documented) == set(known)
    for name, command in known.items():
        options = {long for each in command.params for long in each.opts if long.startswith("--")}
        written = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", documented[name]))
        assert written - {"--help"} == options, name
        assert re.search(rf"^    (?:\S+=\S+ )*{name}(?: |$)", documented[name], re.M), f"{name}: no example"
        assert "Example" in (command.help or ""), f"{name} --help shows no example"


def examples() -> list[tuple[str, list[str]]]:
    """(page, words) of each line of ours that a page shows for copying."""
    found = []
    for page in pages():
        for line in re.findall(r"^    (?:\S+=\S+ |\.venv/bin/)*(pocdir .+)$", page.read_text("utf-8"), re.M):
            found.append((page.name, shlex.split(re.split(r" [>|] ", line)[0])[1:]))
    return found


def test_every_example_is_a_command_with_options_that_it_has():
    for page, words in examples():
        command: click.Command = cli.pocdir
        while isinstance(command, click.Group):
            name, *words = words
            found = command.get_command(click.Context(command), name)
            assert found is not None, f"{page}: pocdir {name}"
            command = found
        options = {long for each in command.params for long in each.opts}
        assert {word for word in words if word.startswith("--")} <= options, f"{page}: {command.name} {words}"


@pytest.mark.parametrize("name", FORMATS)
def test_the_example_of_each_format_is_read(name: str):
    section = (DOCS / "directory.md").read_text("utf-8").split(f"### {name}\n")[1].split("\n##")[0]
    shown = re.findall(r"^    (.*)$", section, re.M)

    parsed = FORMATS[name]("\n".join(shown).encode(), NOW)

    assert parsed.teams
    assert all(team.channels for team in parsed.teams)


def test_every_route_is_documented_with_who_may(tmp_path: Path):
    app = create_app(settings_for(tmp_path, f"sqlite:///{tmp_path / 'pocdir.db'}"))
    known = {
        (method, rule.rule, getattr(app.view_functions[rule.endpoint], "guarded_action", ""))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    tables = [
        row for heading in ("Routes for programs", "Routes for people") for row in rows("api.md", heading)
    ]
    documented = {(method, code(row[1]), code(row[2])) for row in tables for method in row[0].split(", ")}

    assert documented == known


def test_the_matrix_is_documented_as_it_is():
    documented = {code(row[0]): row[1] for row in rows("api.md", "Who may")}

    assert documented == {action: who(action) for action in MATRIX}


def who(action: str) -> str:
    """`researcher, owner` for the roles of an action; everybody; `(own)` where only one's own rows are meant."""
    allowed = {role: MATRIX[action][role] for role in ROLES if MATRIX[action][role]}
    if allowed.get("anonymous"):
        return "everybody"
    own = " (own)" if all(relations == {"own"} for relations in allowed.values()) else ""
    return ", ".join(allowed) + own


def codes_raised() -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for path in (ROOT / "pocdir").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(call, ast.Call) or not call.args:
                continue
            name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
            status = REFUSALS.get(name, 422 if name == "refuse" else None)
            words = [each.value for each in ast.walk(call.args[0]) if isinstance(each, ast.Constant)]
            for word in words if status else ():
                if isinstance(word, str) and re.fullmatch(r"[a-z]+(_[a-z]+)*", word):
                    found.setdefault(word, set()).add(status or 0)
    for status, word in CODES.items():
        found.setdefault(word, set()).add(status)
    return found


def test_every_error_code_is_documented_with_its_status():
    documented = {
        code(row[0]): {int(status) for status in row[1].split(", ")} for row in rows("api.md", "Error codes")
    }

    assert documented == codes_raised()


def test_every_event_type_is_documented_as_the_vocabulary_has_it():
    text = (DOCS / "events.md").read_text("utf-8")
    documented = [line for line in text.splitlines() if re.match(r"\| `[a-z]+\.[a-z_]+` \|", line)]

    assert sorted(documented) == sorted(event_row(type_) for type_ in VOCABULARY)
    for name, choices in shared_choices():
        assert f"| `{name}` | {' '.join(choices)} |" in text


def event_row(type_: str) -> str:
    """One line of docs/events.md."""
    known = VOCABULARY[type_]
    posted = ", ".join(POSTED_BY[type_]) or "nobody"
    payload = ", ".join(payload_name(name, form) for name, form in known.names.items())
    return f"| `{type_}` | {known.occurred_at} | {', '.join(known.claimed_by)} | {posted} | {payload} |"


def payload_name(name: str, form: Name) -> str:
    """Bold where it is needed, in italics where it is sealed, with its choices."""
    stars = "*" * (2 * form.required + form.sealed)
    shown = f"{stars}{name}{stars}"
    if form.choices and (name, form.choices) not in shared_choices():
        shown += f" ({' '.join(form.choices)})"
    return shown


def shared_choices() -> list[tuple[str, tuple[str, ...]]]:
    forms = Counter(
        (name, form.choices) for known in VOCABULARY.values() for name, form in known.names.items()
    )
    meanings = Counter(name for name, choices in forms if choices)
    return [
        (name, choices)
        for (name, choices), times in forms.items()
        if choices and (times >= ALMOST_EVERYWHERE or (len(choices) >= MANY_WORDS and meanings[name] == 1))
    ]


def pages() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "seeds").glob("*.md")])


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path):
    text = re.sub(r"^    .*$|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.M)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = page if not path else page.parent / path
        assert there.exists(), f"{target} is not there"
        if anchor:
            assert anchor in anchors(there), f"{target}: no such heading"


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#{1,6} (.+)$", page.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_tour_names_every_room():
    tour = (DOCS / "tour.md").read_text("utf-8")
    rooms = {each.name for each in (ROOT / "pocdir").iterdir() if (each / "__init__.py").is_file()}

    assert {room for room in rooms if f"`{room}/`" not in tour} == set()


def test_every_decision_stands_in_the_list():
    listed = (DOCS / "adr" / "README.md").read_text("utf-8")

    assert [each.name for each in (DOCS / "adr").glob("0*.md") if f"({each.name})" not in listed] == []


# In pieces, so that this file does not speak of them.
FOREIGN = re.compile(
    "|".join(
        (
            "/" + r"work\b",
            r"(?<![\w.])/" + r"tmp\b",
            r"\bissue" + r" #?\d",
            "py" + r"pi\.org",
            "python" + r"hosted\.",
            "npm" + r"js\.(?:org|com)",
            r"crates" + r"\.io",
            "shared/" + "(?:design|reference)",
        )
    ),
    re.I,
)


def test_the_project_speaks_of_itself_alone():
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("no git checkout: only what is committed counts")
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    listed = subprocess.run(
        [git, "ls-files", "-z"], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    found = []
    for name in filter(None, listed.stdout.split("\0")):
        try:
            lines = (ROOT / name).read_text("utf-8").splitlines()
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        found += [
            f"{name}:{n}: {line.strip()[:80]}" for n, line in enumerate(lines, 1) if FOREIGN.search(line)
        ]
    assert found == []
