"""Operators' trouble: the one exception that carries a hint and an exit code.

Raised anywhere, caught once, at the command line. An event's fate is never an exception (it is a value), and a
contract's mistakes are never one either (they are a list of findings). Neither the message nor the hint may name an
event's value, key material or an identifier.
"""

from enum import IntEnum


class Exit(IntEnum):
    """What a command tells its caller by its exit code. No command ends with another one."""

    DONE = 0
    FINDINGS = 1
    USAGE = 2
    UNAVAILABLE = 3
    REFUSED = 4
    FAULT = 70  # EX_SOFTWARE of sysexits.h
    INTERRUPTED = 130  # as a shell says of a process that SIGINT ended
    CLOSED_PIPE = 141  # as a shell says of a process that SIGPIPE ended


class ClosedPipe(Exception):  # noqa: N818 - not an error: the reader of standard output has enough
    """Standard output was closed by its reader. Not a BrokenPipeError, which click and rich turn into exit 1."""


class Trouble(Exception):  # noqa: N818 - trouble of the operator's, not a fault of the program
    """Something outside the program stands in the way, and a person can fix it.

    Args:
        message: what is wrong, naming the thing.
        hint: the way out, as an instruction.
        exit_code: what the command ends with.
    """

    def __init__(self, message: str, *, hint: str, exit_code: Exit = Exit.UNAVAILABLE) -> None:
        super().__init__(message)
        self.hint = hint
        self.exit_code = exit_code
