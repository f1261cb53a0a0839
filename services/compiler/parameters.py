"""H.264 parameter sets as MP4 keeps them, in an `avcC` record (ISO/IEC 14496-15, 5.3.3): read, merge."""

from dataclasses import dataclass

_SPS_ID_AT = 4  # bytes: NAL header, profile, constraint flags, level
_PPS_ID_AT = 1  # bytes: NAL header
_FOUR_BYTE_LENGTHS = 3  # lengthSizeMinusOne


@dataclass(frozen=True, slots=True)
class ParameterSets:
    """One `avcC`: profile, constraint flags and level; the sets; the extension that High profiles carry."""

    head: tuple[int, int, int]
    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]
    extension: bytes


def read(avcc: bytes) -> ParameterSets:
    """Take an `avcC` apart. Raises ValueError when it is none, or its pictures have no four-byte lengths."""
    if len(avcc) < 7 or avcc[0] != 1 or avcc[4] & 3 != _FOUR_BYTE_LENGTHS:
        raise ValueError("not an avcC record with four-byte lengths")
    sps, at = _sets(avcc, 6, avcc[5] & 31)
    pps, at = _sets(avcc, at + 1, avcc[at])
    return ParameterSets((avcc[1], avcc[2], avcc[3]), sps, pps, avcc[at:])


def ids(sets: ParameterSets) -> set[int]:
    """Every id that a sequence or picture parameter set in there uses."""
    return {_id(s, _SPS_ID_AT) for s in sets.sps} | {_id(p, _PPS_ID_AT) for p in sets.pps}


def free_ids(avcc: bytes | None) -> tuple[int, int]:
    """The two smallest ids that no set in there uses: those to encode companions of two kinds with."""
    used = ids(read(avcc)) if avcc else set()
    one, other, *_ = (number for number in range(32) if number not in used)
    return one, other


def merge(one: bytes, other: bytes) -> bytes:
    """One `avcC` for pictures of both, so that a track needs a single sample description.

    Players take this, and stumble over sets inside the stream or several descriptions. Raises ValueError when
    both use the same id.
    """
    a, b = read(one), read(other)
    if ids(a) & ids(b):
        raise ValueError("both records use the same parameter set id")
    head = bytes((max(a.head[0], b.head[0]), a.head[1] & b.head[1], max(a.head[2], b.head[2])))
    sps, pps = a.sps + b.sps, a.pps + b.pps
    sets = bytes([0xE0 | len(sps)]) + _packed(sps) + bytes([len(pps)]) + _packed(pps)
    return b"\1" + head + b"\xff" + sets + (a.extension or b.extension)


def _sets(avcc: bytes, at: int, count: int) -> tuple[tuple[bytes, ...], int]:
    found = []
    for _ in range(count):
        length = int.from_bytes(avcc[at : at + 2], "big")
        found.append(avcc[at + 2 : at + 2 + length])
        at += 2 + length
    if at > len(avcc) or not all(found):
        raise ValueError("the avcC record is cut short")
    return tuple(found), at


def _packed(sets: tuple[bytes, ...]) -> bytes:
    return b"".join(len(s).to_bytes(2, "big") + s for s in sets)


def _id(unit: bytes, at: int) -> int:
    """The unsigned Exp-Golomb number (ITU-T H.264, 9.1) that starts at this byte."""
    bits = "".join(f"{byte:08b}" for byte in unit[at : at + 3])
    zeros = len(bits) - len(bits.lstrip("0"))
    return int(bits[zeros : 2 * zeros + 1] or "1", 2) - 1
