"""Calls what the C library has and Python has not."""

import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: int | ctypes.Array[ctypes.c_char] | None) -> int:
    """What the function answers; whole numbers go as longs, buffers by their address. Raises OSError where it fails.

    A function that this system does not have fails as one that the kernel does not have.
    """
    function = getattr(_libc, name, None)
    if function is None:
        raise NotImplementedError(name)
    function.restype = ctypes.c_int
    answer: int = function(*(ctypes.c_long(one) if isinstance(one, int) else one for one in arguments))
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), name)
    return answer
