"""The man page capcli(1), written from the command tree, the exit codes and the table of settings."""

from collections.abc import Iterator
from typing import Any

from capcli.cli.reference import options, paragraphs

_FILES = (
    ("config.toml", "settings, by profile"),
    ("journal.db", "previews, what was sent, and what happened to it"),
    ("paper.db", "the paper broker"),
)


def manual() -> str:
    """Return the page in the man macros. Imports every command."""
    from capcli.cli.completions.plan import commands
    from capcli.credential_names import CREDENTIALS
    from capcli.render.error_pages import MEANINGS
    from capcli.settings.table import TABLE

    (_, root, context), *others = commands()
    lines = [
        '.TH CAPCLI 1 "" capcli "User Commands"',
        ".SH NAME",
        r"capcli \- " + _escaped(paragraphs(root.help)[0].rstrip(".")),
        ".SH SYNOPSIS",
        ".B capcli",
        r"[\fIOPTIONS\fR] \fICOMMAND\fR [\fIARGUMENTS\fR]",
        ".SH DESCRIPTION",
        *_blocks(paragraphs(root.help)),
        ".SH OPTIONS",
        "These work anywhere on the line.",
        *_options(root, context),
        ".SH COMMANDS",
    ]
    for path, command, its_context in others:
        usage = " ".join(("capcli", *path, *command.collect_usage_pieces(its_context)))
        lines += [
            f'.SS "{_escaped(usage)}"',
            *_blocks(paragraphs(command.help)),
            *_options(command, its_context),
        ]
        if command.epilog:
            lines += [".PP", "Example:", ".PP", ".RS 4", ".nf"]
            lines += [*(_escaped(line) for line in command.epilog.splitlines()), ".fi", ".RE"]
    credential = "The credential, where it is not in the keychain; also _FILE and _CMD."
    sections = {
        "EXIT STATUS": [(str(code.value), meaning) for code, meaning in MEANINGS.items()],
        "ENVIRONMENT": [
            *((setting.name, f"{setting.about}; {setting.allowed}.") for setting in TABLE),
            *((name, credential) for name in CREDENTIALS),
            ("CAPCLI_HOME", "One folder for all files; an absolute path."),
        ],
        "FILES": _FILES,
    }
    for title, entries in sections.items():
        lines.append(f".SH {title}")
        if title == "FILES":
            lines.append(_escaped("capcli config path prints where they are."))
        lines += [line for name, about in entries for line in _entry(name, about)]
    return "\n".join(lines) + "\n"


def _options(command: Any, context: Any) -> Iterator[str]:
    for names, about in options(command, context):
        yield from _entry(names, about)


def _entry(name: str, about: str) -> Iterator[str]:
    yield from (".TP", rf"\fB{_escaped(name)}\fR", _escaped(" ".join(about.split())))


def _blocks(paragraphs: list[str]) -> Iterator[str]:
    for paragraph in paragraphs:
        if "\n" in paragraph:
            yield from (".PP", ".nf", *map(_escaped, paragraph.splitlines()), ".fi")
        else:
            yield from (".PP", _escaped(paragraph))


def _escaped(text: str) -> str:
    r"""Escape text for roff: escapes, a control character at a line's start, hyphens."""
    text = text.replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq")
    return rf"\&{text}" if text.startswith((".", "'")) else text
