"""The man page capcli(1), written from the command tree, the exit codes and the table of settings."""

from collections.abc import Iterator
from typing import Any

from capcli.cli.reference import example, options, paragraphs

_FILES = (
    ("config.toml", "settings, by profile"),
    ("journal.db", "previews, what was sent, and what happened to it"),
    ("paper.db", "the paper broker"),
)


def manual() -> str:
    """Return the page in the man macros. Imports every command."""
    from capcli.cli.completions.plan import commands

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
        lines += _command(path, command, its_context)
    lines += [*_exit_status(), *_environment(), *_files()]
    return "\n".join(lines) + "\n"


def _command(path: tuple[str, ...], command: Any, context: Any) -> Iterator[str]:
    yield f'.SS "{_escaped(" ".join(("capcli", *path, *command.collect_usage_pieces(context))))}"'
    yield from _blocks(paragraphs(command.help))
    yield from _options(command, context)
    if shown := example(command.epilog):
        yield from (".PP", "Example:", ".PP", ".RS 4", ".nf")
        yield from (_escaped(line.strip()) for line in shown.splitlines())
        yield from (".fi", ".RE")


def _options(command: Any, context: Any) -> Iterator[str]:
    for names, about in options(command, context):
        yield from _entry(names, about)


def _exit_status() -> Iterator[str]:
    from capcli.render.error_pages import MEANINGS

    yield ".SH EXIT STATUS"
    for code, meaning in MEANINGS.items():
        yield from _entry(str(code.value), meaning)


def _environment() -> Iterator[str]:
    from capcli.settings.table import CREDENTIALS, TABLE

    yield ".SH ENVIRONMENT"
    for setting in TABLE:
        yield from _entry(setting.name, f"{setting.about}; {setting.allowed}.")
    for name in CREDENTIALS:
        yield from _entry(name, "The credential, where it is not in the keychain; also _FILE and _CMD.")
    yield from _entry("CAPCLI_HOME", "One folder for all files; an absolute path.")


def _files() -> Iterator[str]:
    yield ".SH FILES"
    yield _escaped("capcli config path prints where they are.")
    for name, about in _FILES:
        yield from _entry(name, about)


def _entry(name: str, about: str) -> Iterator[str]:
    yield from (".TP", rf"\fB{_escaped(name)}\fR", _escaped(" ".join(about.split())))


def _blocks(paragraphs: list[str]) -> Iterator[str]:
    for paragraph in paragraphs:
        if "\n" in paragraph:
            yield from (".PP", ".nf", *map(_escaped, paragraph.splitlines()), ".fi")
        else:
            yield from (".PP", _escaped(paragraph))


def _escaped(text: str) -> str:
    r"""Return text that means itself to roff: no escapes, no request at a line's start, a real hyphen."""
    text = text.replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq")
    return rf"\&{text}" if text.startswith((".", "'")) else text
