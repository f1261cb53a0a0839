"""The process that has loaded everything a worker needs, sees no media file, and forks a worker for each order."""

import contextlib
import os
import resource
import selectors
import signal
import socket
import sys

from services.compiler import worker

_FDS = 2
_NICENESS = 5  # the services of a small machine answer first


def main() -> None:
    """Serve the socket that is stdin until the service closes it, or dies; then every worker is killed.

    Each byte on it brings two sockets: one that the worker reads its order from and speaks on, and its leash. Closing
    the leash kills the worker; when the worker has ended, its exit code is written there.
    """
    os.nice(_NICENESS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    control, (heard, woken) = socket.socket(fileno=os.dup(0)), socket.socketpair()
    for end in (heard, woken):
        end.setblocking(False)
    signal.set_wakeup_fd(woken.fileno())
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    with selectors.DefaultSelector() as watched:
        watched.register(control, selectors.EVENT_READ)
        watched.register(heard, selectors.EVENT_READ)
        _serve(control, heard, watched)


def _serve(control: socket.socket, heard: socket.socket, watched: selectors.BaseSelector) -> None:
    leashes: dict[int, socket.socket] = {}
    while True:
        for key, _ in watched.select():
            if key.fileobj is control:
                _, fds, _, _ = socket.recv_fds(control, 1, _FDS)
                if len(fds) < _FDS:
                    return _kill(leashes)
                talk, leash = (socket.socket(fileno=fd) for fd in fds)
                pid = _forked(talk)
                leashes[pid] = leash
                watched.register(leash, selectors.EVENT_READ, pid)
            elif key.fileobj is heard:
                heard.recv(4096)
                _reap(leashes, watched)
            elif key.data in leashes:
                watched.unregister(key.fileobj)
                os.kill(key.data, signal.SIGKILL)


def _forked(talk: socket.socket) -> int:
    """Fork the worker that this is for; of all that is open here it has nothing but that."""
    pid = os.fork()
    if pid:
        talk.close()
        return pid
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for fd in (0, 1):
            os.dup2(talk.fileno(), fd)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        worker.main()
    finally:
        os._exit(1 if sys.exc_info()[0] else 0)


def _reap(leashes: dict[int, socket.socket], watched: selectors.BaseSelector) -> None:
    """Say how each worker ended that has; nobody else can have taken its number before this."""
    while leashes:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with leashes.pop(pid) as leash, contextlib.suppress(KeyError, OSError):  # nobody asks, nobody listens
            watched.unregister(leash)
            leash.sendall(str(os.waitstatus_to_exitcode(status)).encode())


def _kill(leashes: dict[int, socket.socket]) -> None:
    for pid in leashes:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
