"""Installs and removes the skill file of capcli in a client's folder."""

from pathlib import Path

from msgspec import Struct

from capcli.assistants.locations import Assistant
from capcli.errors import ConfigError
from capcli.system import put_in_place


class SkillEdit(Struct, frozen=True):
    """The skill file before and after, as bytes; None where there is no file."""

    file: Path
    before: bytes | None
    after: bytes | None

    @property
    def is_needed(self) -> bool:
        return self.before != self.after

    def apply(self) -> None:
        """Write or remove the file. Raises ConfigError: then it is unchanged."""
        try:
            if self.after is None:
                self.file.unlink(missing_ok=True)
                # The folder is ours, but it stays if it holds other files.
                if not any(self.file.parent.iterdir()):
                    self.file.parent.rmdir()
                return
            self.file.parent.mkdir(parents=True, exist_ok=True)
            put_in_place(self.file, self.after, mode=0o644)
        except OSError as error:
            raise ConfigError(f"{self.file} cannot be written: {error.strerror or error}.") from error


def planned(file: Path, text: str | None) -> SkillEdit:
    """Plan to write the skill, or with None to remove it. Raises ConfigError for a file that is not ours."""
    try:
        before = file.read_bytes()
    except FileNotFoundError:
        before = None
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror or error}.") from error
    if before is not None and not before.startswith(b"---\nname: capcli\n"):
        raise ConfigError(f"{file} is not a skill of capcli. It was not changed.")
    return SkillEdit(file, before, None if text is None else text.encode())


def without_folder(assistant: Assistant) -> str:
    """Say what to do for a client without a folder for skills."""
    return (
        f"{assistant.title} reads no folder of skills: upload the text of `capcli help agents` as a skill "
        "in its settings."
    )
