"""Holds every JSON document that a command writes in a test to what `capcli schema` says of it."""

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from capcli.cli.commands import COMMANDS

# What an error may name where there is no result.
IDS = {
    "type": "object",
    "properties": {
        name: {"type": ["string", "null"]} for name in ("preview_id", "attempt_id", "deal_id", "state")
    }
    | {"warnings": {"type": "array", "items": {"type": "string"}}},
    "additionalProperties": False,
}


@cache
def _validator(command: str) -> Draft202012Validator:
    return Draft202012Validator(COMMANDS[command].data)


def conform(out: str, words: tuple[str, ...], code: int) -> None:
    """Check the documents of one command line; those that were narrowed by --fields are left alone."""
    if '"schema":"capcli/1"' not in out or any(word.startswith("--fields") for word in words):
        return
    for line in out.splitlines():
        document = json.loads(line)
        if document["command"] in COMMANDS:
            _check(document, code)


def _check(document: dict[str, Any], code: int) -> None:
    contract = COMMANDS[document["command"]]
    assert code in contract.exit_codes, f"{document['command']} ends with {code}: capcli/cli/commands.py"
    if "data" not in document:
        return
    if "error" in document and Draft202012Validator(IDS).is_valid(document["data"]):
        return
    faults = sorted(_validator(document["command"]).iter_errors(document["data"]), key=str)
    assert not faults, f"{document['command']}: {faults[0].message[:300]} at {faults[0].json_path}"
