from pathlib import Path

import pytest

from services.compiler import parameters, probe
from tests.unit.compiler import footage


def recorded(path: Path, sps_id: int) -> bytes:
    options = (("x264-params", f"sps-id={sps_id}"),)
    return probe.probe(footage.shoot(path, footage.Take(options=options, layout=""))).parameters


def test_ids_are_read_from_real_records(tmp_path: Path) -> None:
    for number in (0, 1, 2, 17):
        record = recorded(tmp_path / f"{number}.mp4", number)
        assert parameters.ids(parameters.read(record)) == {number}
        assert parameters.free_ids(record) == {0: (1, 2), 1: (0, 2)}.get(number, (0, 1))


def test_two_records_become_one_that_holds_both(tmp_path: Path) -> None:
    one, other = recorded(tmp_path / "a.mp4", 0), recorded(tmp_path / "b.mp4", 1)
    both = parameters.read(parameters.merge(one, other))
    assert both.sps == parameters.read(one).sps + parameters.read(other).sps
    assert both.pps == parameters.read(one).pps + parameters.read(other).pps
    assert both.head[2] == max(parameters.read(one).head[2], parameters.read(other).head[2])
    assert parameters.free_ids(parameters.merge(one, other)) == (2, 3)


def test_records_with_the_same_ids_cannot_be_merged(tmp_path: Path) -> None:
    one = recorded(tmp_path / "a.mp4", 0)
    with pytest.raises(ValueError, match="same parameter set id"):
        parameters.merge(one, one)


def test_nothing_leaves_every_id_free() -> None:
    assert parameters.free_ids(None) == (0, 1)


def test_what_is_no_record_is_refused(tmp_path: Path) -> None:
    record = recorded(tmp_path / "a.mp4", 0)
    two_byte_lengths = record[:4] + b"\xfd" + record[5:]
    for wrong in (b"", b"\0\0\0\1gd\0\x0c", record[:12], two_byte_lengths):
        with pytest.raises(ValueError, match="avcC"):
            parameters.read(wrong)
