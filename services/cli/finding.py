"""What an examination finds, and how a person reads it."""

import dataclasses

import rich.console

from services.cli import exits


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `wrong` is empty when it is fine, else `remedy` says what to do."""

    name: str
    detail: str
    wrong: str = ""
    remedy: str = ""

    def show(self, out: rich.console.Console) -> None:
        """On one line."""
        if self.wrong:
            out.print(f"✕ {self.name}: {self.wrong} ({self.detail}). Remedy: {self.remedy}.", markup=False)
        else:
            out.print(f"✓ {self.name}: {self.detail}", markup=False)


def end(wrong: int) -> None:
    """What is said last, of so many that are wrong. Raises Ended when there are any."""
    if wrong:
        raise exits.Ended(f"{wrong} thing{'s are' if wrong > 1 else ' is'} wrong.")
