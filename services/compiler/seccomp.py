"""Leaves this process the few system calls that computing, reading and writing take; the kernel refuses the rest."""

import ctypes
import errno
import platform
import struct
from collections.abc import Iterator

from services.compiler import kernel

_ALLOWED = """
    read 0 63   write 1 64   readv 19 65   writev 20 66   pread64 17 67   pwrite64 18 68   lseek 8 62
    openat 257 56   close 3 57   close_range 436 436   fcntl 72 25   dup 32 23   fstat 5 80
    newfstatat 262 79   statx 332 291   faccessat 269 48   faccessat2 439 439   readlinkat 267 78
    getdents64 217 61   getcwd 79 17   mkdirat 258 34   unlinkat 263 35   renameat 264 38   renameat2 316 276
    ftruncate 77 46   fallocate 285 47   fsync 74 82   fdatasync 75 83   munmap 11 215   mremap 25 216
    madvise 28 233   brk 12 214   mincore 27 232   membarrier 324 283   futex 202 98   set_robust_list 273 99
    rseq 334 293   set_tid_address 218 96   exit 60 93   exit_group 231 94   restart_syscall 219 128
    rt_sigaction 13 134   rt_sigprocmask 14 135   rt_sigreturn 15 139   sigaltstack 131 132   gettid 186 178
    getpid 39 172   getppid 110 173   getuid 102 174   geteuid 107 175   getgid 104 176   getegid 108 177
    sched_yield 24 124   sched_getaffinity 204 123   getcpu 309 168   uname 63 160   sysinfo 99 179
    getrusage 98 165   times 100 153   clock_gettime 228 113   clock_getres 229 114   clock_nanosleep 230 115
    nanosleep 35 101   gettimeofday 96 169   getrandom 318 278   ppoll 271 73   pselect6 270 72   poll 7 -
    select 23 -   time 201 -   open 2 -   stat 4 -   lstat 6 -   access 21 -   readlink 89 -   mkdir 83 -
    rmdir 84 -   unlink 87 -   rename 82 -
"""
"""Names, and numbers on x86_64 and aarch64 (asm/unistd.h); aarch64 has not those that have a younger sister."""

_THREAD, _EXECUTABLE = 0x10000, 4  # CLONE_THREAD, PROT_EXEC
_FLAGS, _PROTECTION = 16, 32  # where the first and the third argument lie
_IF_SET = {"x86_64": ((56, _FLAGS, _THREAD),), "aarch64": ((220, _FLAGS, _THREAD),)}
"""clone: for threads alone. clone3, whose flags a filter cannot see, is refused; the C library then uses clone."""
_UNLESS_SET = {
    "x86_64": ((9, _PROTECTION, _EXECUTABLE), (10, _PROTECTION, _EXECUTABLE)),
    "aarch64": ((222, _PROTECTION, _EXECUTABLE), (226, _PROTECTION, _EXECUTABLE)),
}
"""mmap and mprotect: for data alone, no code comes in."""

_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Their column above, and what linux/audit.h calls them."""
_LOAD, _EQUALS, _HAS, _RETURN = 0x20, 0x15, 0x45, 0x06  # linux/bpf_common.h
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | errno.ENOSYS, 0x80000000  # linux/seccomp.h
_NUMBER, _ARCHITECTURE = 0, 4  # where they lie in seccomp_data
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2


def confine() -> None:
    """Refuse all else as if the kernel did not know it (ENOSYS), in this thread and those that it starts, for ever.

    Needs PR_SET_NO_NEW_PRIVS. Raises OSError where the kernel has no filters, or the machine is of another kind.
    """
    load(program(platform.machine()))


def program(machine: str) -> bytes:
    """The filter for a machine, as classic BPF. Raises NotImplementedError for a kind whose numbers are not known."""
    if machine not in _ARCHITECTURES:
        raise NotImplementedError(machine)
    return b"".join(_instructions(machine))


def load(instructions: bytes) -> None:
    """Put a filter in front of every later system call, besides those that are there. Raises OSError."""
    code = ctypes.create_string_buffer(instructions, len(instructions))
    filters = ctypes.create_string_buffer(struct.pack("@HP", len(instructions) // 8, ctypes.addressof(code)))
    kernel.call("prctl", _PR_SET_SECCOMP, _MODE_FILTER, filters)


def _instructions(machine: str) -> Iterator[bytes]:
    column, architecture = _ARCHITECTURES[machine]
    yield from (_step(_LOAD, _ARCHITECTURE), _step(_EQUALS, architecture, 1, 0), _step(_RETURN, _KILL))
    yield _step(_LOAD, _NUMBER)
    words = _ALLOWED.split()
    for word in words[1 + column :: 3]:
        if word != "-":
            yield from (_step(_EQUALS, int(word), 0, 1), _step(_RETURN, _ALLOW))
    for number, place, bits in _IF_SET[machine]:
        yield from _by_argument(number, place, bits, _ALLOW, _REFUSE)
    for number, place, bits in _UNLESS_SET[machine]:
        yield from _by_argument(number, place, bits, _REFUSE, _ALLOW)
    yield _step(_RETURN, _REFUSE)


def _by_argument(number: int, place: int, bits: int, when_set: int, else_: int) -> Iterator[bytes]:
    yield _step(_EQUALS, number, 0, 4)
    yield from (_step(_LOAD, place), _step(_HAS, bits, 0, 1), _step(_RETURN, when_set), _step(_RETURN, else_))


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One instruction; the jumps count those that are passed over."""
    return struct.pack("=HBBI", code, if_true, if_false, value)
