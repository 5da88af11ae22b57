"""Policies as YAML or JSON files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml
from marshmallow import ValidationError

from pocdir.core.errors import Invalid
from pocdir.outreach.escalation import schemas
from pocdir.web.errors import flat_messages, in_words
from pocdir.web.forms import tick
from pocdir.web.terminal import read_input

LARGEST = 100_000  # bytes of a file


def read_policy(file: Path) -> dict[str, Any]:
    """A policy from a file; raises Invalid `policy_invalid` with its first fault."""
    data = read_input(file, most=LARGEST)
    if len(data) > LARGEST:
        raise Invalid("policy_invalid", "the file is larger than a policy is", where="file")
    try:
        text = data.decode()
        given = json.loads(text) if text.lstrip().startswith("{") else _Words(text).get_single_data()
        said, schema = _said(given), schemas.PolicySchema()
        tick(schema, said)  # also in JSON, where a word was written
        loaded: dict[str, Any] = schema.load(said)
    except ValidationError as error:
        raise Invalid("policy_invalid", in_words(flat_messages(error.messages)), where="file") from None
    except (ValueError, yaml.YAMLError, RecursionError):
        raise Invalid("policy_invalid", "this is neither YAML nor JSON", where="file") from None
    return loaded


def _said(given: Any) -> Any:
    """What YAML leaves empty is not said."""
    return {k: v for k, v in given.items() if v not in ("", None)} if isinstance(given, dict) else given


def written(definition: dict[str, Any]) -> str:
    """A policy in the shape of its file."""
    return yaml.dump(definition, Dumper=_Quoting, sort_keys=False, allow_unicode=True)


class _Quoting(yaml.SafeDumper):
    """Quotes every value that is more than plain words: no reader takes a time or a number for something else."""


def _quoted(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = None if re.fullmatch(r"[A-Za-z][\w -]*", value) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Quoting.add_representer(str, _quoted)


class _Words(yaml.BaseLoader):
    """Words as they are written (YAML reads 17:00 as a number), and no aliases: they can make a small file huge."""

    def construct_scalar(self, node: Any) -> Any:
        value = super().construct_scalar(node)
        return None if node.style is None and value in ("", "null", "~") else value

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("no aliases")
        return super().compose_node(parent, index)
