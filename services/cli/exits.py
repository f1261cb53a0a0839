"""How the command ends: its exit codes and the exception that carries one with the sentence a person reads."""

import enum


class Code(enum.IntEnum):
    """The exit codes that scripts may rely on."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    NOT_FOUND = 3
    DENIED = 4
    CONFLICT = 5
    MONEY = 6
    SCENES_FAILED = 7
    PROVIDER = 8
    TIMEOUT = 9
    UNCONFIRMED = 10
    LATER = 75
    CONFIG = 78
    INTERRUPTED = 130


class Ended(Exception):
    """The command cannot go on: one sentence that names what is wrong and the remedy, and the exit code."""

    def __init__(self, sentence: str, code: Code = Code.ERROR) -> None:
        super().__init__(sentence)
        self.code = code
