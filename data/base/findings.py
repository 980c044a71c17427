"""What a check finds, as values that are also the lines people read."""

from dataclasses import dataclass, field
from typing import Any, Self

from .errors import printable


class Finding(str):
    """A problem or a note, which is also the line "FILE: TEXT" that people read.

    Attributes:
        file: The name of the file within the dataset's folder, as it is on the disk.
        text: What was found there.
    """

    file: str
    text: str

    def __new__(cls, file: str, text: str) -> Self:
        self = super().__new__(cls, printable(f"{file}: {text}"))
        self.file, self.text = file, text
        return self

    def __getnewargs__(self) -> tuple[str, str]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.file, self.text

    def to_dict(self) -> dict[str, str]:
        """JSON-ready."""
        return {"file": self.file, "text": self.text}


@dataclass(frozen=True)
class Findings:
    """All that a check found.

    Attributes:
        problems: Each of them makes a dataset unsound.
        notes: What a reader should know; a dataset with notes is sound.
    """

    problems: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "sound": self.sound,
            "problems": [problem.to_dict() for problem in self.problems],
            "notes": [note.to_dict() for note in self.notes],
        }
