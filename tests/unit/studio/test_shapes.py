import json

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from rushes.job.v1 import job_service_pb2
from rushes.provider_gateway.v1 import credential_pb2
from rushes.storyboard.v1 import storyboard_pb2
from services.studio.rest import shapes

BOARD = shapes.shape(storyboard_pb2.Storyboard.DESCRIPTOR)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def boards(draw):
    board = storyboard_pb2.Storyboard(name=draw(TEXTS), silent=draw(st.booleans()))
    board.state = draw(st.sampled_from(storyboard_pb2.Storyboard.State.values()))
    for _ in range(draw(st.integers(0, 3))):
        scene = board.scenes.add(subject=draw(TEXTS), cast=draw(st.lists(TEXTS, max_size=3)))
        scene.duration.FromNanoseconds(draw(st.integers(0, 10**12)))
        if draw(st.booleans()):
            scene.seed = draw(st.integers(-(1 << 63), (1 << 63) - 1))
    if draw(st.booleans()):
        nanos = draw(st.sampled_from([0, 1, 999_999_999, 120_000_000, 120_000, 1_000]))
        board.create_time.FromNanoseconds(draw(st.integers(-(1 << 32), 1 << 32)) * 10**9 + nanos)
    return board


def read(shape, kind, told):
    into, faults = kind(), shapes.Faults()
    shape.read(told, into, "", faults)
    return into, [(it["pointer"], it["detail"]) for it in faults.found]


@given(boards())
def test_what_is_written_is_read_again(board):
    told = json.loads(json.dumps(BOARD.write(board)))
    assert read(BOARD, storyboard_pb2.Storyboard, told) == (board, [])


@given(boards())
def test_it_is_proto_json(board):
    options = {"preserving_proto_field_name": True, "always_print_fields_with_no_presence": True}
    assert BOARD.write(board) == json_format.MessageToDict(board, **options)


def test_maps_and_unknown_enums_are_written():
    credential = credential_pb2.Credential(settings={"project": "x"}, state=99)
    told = shapes.shape(credential.DESCRIPTOR).write(credential)
    assert (told["settings"], told["state"]) == ({"project": "x"}, 99)
    asked = job_service_pb2.PlanOptions(scene_takes={"scene_1": 2})
    shape = shapes.shape(asked.DESCRIPTOR)
    assert read(shape, job_service_pb2.PlanOptions, shape.write(asked)) == (asked, [])


@pytest.mark.parametrize(
    ("told", "pointer"),
    [
        ([], ""),
        ({"name": None}, "/name"),
        ({"name": "\ud800"}, "/name"),
        ({"Name": "camel"}, "/Name"),
        ({"a/b~c": 1}, "/a~1b~0c"),
        ({"silent": "true"}, "/silent"),
        ({"revision": 1.5}, "/revision"),
        ({"revision": True}, "/revision"),
        ({"revision": 1 << 31}, "/revision"),
        ({"state": 1}, "/state"),
        ({"create_time": "yesterday"}, "/create_time"),
        ({"scenes": {}}, "/scenes"),
        ({"scenes": [{}, {"seed": "1.5"}]}, "/scenes/1/seed"),
        ({"scenes": [{"seed": 1 << 63}]}, "/scenes/0/seed"),
        ({"scenes": [{"cast": ["Ada", 7]}]}, "/scenes/0/cast/1"),
        ({"scenes": [{"duration": 8}]}, "/scenes/0/duration"),
        ({"size": {"width": "wide"}}, "/size/width"),
    ],
)
def test_what_is_wrong_has_a_place(told, pointer):
    _, faults = read(BOARD, storyboard_pb2.Storyboard, told)
    assert [at for at, _ in faults] == [pointer]


def test_numbers_of_64_bits_may_be_numbers():
    board, faults = read(BOARD, storyboard_pb2.Storyboard, {"scenes": [{"seed": 7}, {"seed": "-7"}]})
    assert ([scene.seed for scene in board.scenes], faults) == ([7, -7], [])
