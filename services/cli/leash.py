"""Becomes another program on a leash: the program gets a signal when the process that started it dies.

Run by path with `python -I -S`, so that it costs milliseconds: `leash.py PARENT SIGNAL USER COMMAND...`.
USER is `uid:gid`, or `-` to stay who we are.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h; cleared by a change of user, kept by exec


def _become(user: str) -> None:
    uid, gid = (int(part) for part in user.split(":"))
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def main(parent: str, signal_number: str, user: str, *command: str) -> None:
    """Drop to the user, tie the leash, become the command."""
    if user != "-":
        _become(user)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal_number))
    if os.getppid() != int(parent):  # it died before the leash was tied
        sys.exit("the process that started this one is gone")
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
