"""Clips as providers send them, and files that only pretend to be clips."""

import errno
import io
import socket
from fractions import Fraction

import av
import numpy
import pytest
from PIL import Image

from services.provider_gateway import media
from tests.unit.provider_gateway import clips

SIZE = clips.SIZE


def look(path):
    with Image.open(path) as picture:
        return picture.format, picture.size, numpy.asarray(picture.convert("L")).mean()


def test_a_clip_is_measured(tmp_path):
    assert media.probe(clips.shoot(tmp_path / "clip.mp4"), tmp_path / "thumb.jpg") == media.Facts(2.0, *SIZE)


def test_a_clip_in_fragments_is_measured(tmp_path):
    muxer = {"movflags": "frag_keyframe+empty_moov"}
    assert media.probe(
        clips.shoot(tmp_path / "clip.mp4", muxer=muxer, g="12"), tmp_path / "thumb.jpg"
    ).seconds == pytest.approx(2)


_IN_FRAGMENTS = "frag_keyframe+empty_moov"


@pytest.mark.parametrize("flags", ["+faststart", _IN_FRAGMENTS, f"{_IN_FRAGMENTS}+global_sidx", "0"])
def test_a_clip_that_is_cut_short_is_refused(tmp_path, flags):
    """Its first picture decodes all the same, unless the index was at the end."""
    clip = clips.shoot(tmp_path / "clip.mp4", muxer={"movflags": flags}, g="12")
    with av.open(str(clip)) as container:
        end = max(entry.pos + entry.size for entry in container.streams.video[0].index_entries)
    clip.write_bytes(clip.read_bytes()[: end - 1])
    with pytest.raises(media.NotAClip):
        media.probe(clip, tmp_path / "thumb.jpg")


def test_the_last_picture_is_the_last(tmp_path):
    media.save_last_frame(clips.shoot(tmp_path / "clip.mp4"), tmp_path / "last.png")
    kind, size, grey = look(tmp_path / "last.png")
    assert (kind, size) == ("PNG", SIZE)
    assert grey == pytest.approx(clips.shade(47), abs=4)


@pytest.mark.parametrize(("pictures", "chosen"), [(48, 16), (12, 4), (2, 1), (1, 0), (96, 24)])
def test_the_thumbnail_is_small_and_of_the_first_third(tmp_path, pictures, chosen):
    media.probe(clips.shoot(tmp_path / "clip.mp4", pictures, size=(640, 360)), tmp_path / "thumb.jpg")
    kind, size, grey = look(tmp_path / "thumb.jpg")
    assert (kind, size) == ("JPEG", (320, 180))
    assert grey == pytest.approx(clips.shade(chosen), abs=2)
    assert (tmp_path / "thumb.jpg").stat().st_size < 50_000


@pytest.mark.parametrize("size", [(2, 2), (64, 50), (90, 160), (2, 2000), (320, 320)])
def test_a_thumbnail_of_any_shape_is_never_enlarged(tmp_path, size):
    media.probe(clips.shoot(tmp_path / "clip.mp4", 2, "mpeg4", size), tmp_path / "thumb.jpg")
    _, made, _ = look(tmp_path / "thumb.jpg")
    assert max(made) <= 320
    assert all(ours <= theirs for ours, theirs in zip(made, size, strict=True))


@pytest.mark.parametrize("matrix", ["ICtCp", "YCgCo", "bt2020c"])
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p10le"])
def test_colours_that_cannot_be_converted_exactly_still_give_pictures(tmp_path, matrix, pixels):
    clip = clips.shoot(tmp_path / "clip.mp4", 4, pixels=pixels, **{"x264-params": f"colormatrix={matrix}"})
    media.save_last_frame(clip, tmp_path / "last.png")
    media.probe(clip, tmp_path / "thumb.jpg")
    assert look(tmp_path / "last.png")[1] == look(tmp_path / "thumb.jpg")[1] == SIZE


def damaged(path):
    """A clip whose last pictures are noise; its index says nothing of it."""
    clips.shoot(path, muxer={"movflags": "+faststart"}, g="12")
    bytes_ = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        last = container.streams.video[0].index_entries[-1]
    bytes_[last.pos : last.pos + last.size] = b"\xff" * last.size
    path.write_bytes(bytes_)
    return path


def test_a_damaged_end_does_not_lose_the_clip(tmp_path):
    clip = damaged(tmp_path / "clip.mp4")
    assert media.probe(clip, tmp_path / "thumb.jpg").seconds == 2
    media.save_last_frame(clip, tmp_path / "last.png")
    assert look(tmp_path / "last.png")[2] > clips.shade(36)


@pytest.mark.parametrize("save", [media.save_last_frame, media.probe])
def test_a_full_disk_is_no_fault_of_the_clip(tmp_path, save):
    (tmp_path / "still.png").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space") as fault:
        save(clips.shoot(tmp_path / "clip.mp4"), tmp_path / "still.png")
    assert fault.value.errno == errno.ENOSPC


def test_a_sound_alone_is_no_clip(tmp_path):
    with av.open(str(tmp_path / "clip.mp4"), "w") as output:
        stream = output.add_stream("aac", rate=48_000, layout="mono")
        silence = av.AudioFrame.from_ndarray(numpy.zeros((1, 1024), numpy.float32), format="fltp", layout="mono")
        silence.rate = 48_000
        output.mux(stream.encode(silence))
        output.mux(stream.encode(None))
    with pytest.raises(media.NotAClip, match="no video"):
        media.probe(tmp_path / "clip.mp4", tmp_path / "thumb.jpg")


@pytest.mark.parametrize(("codec", "pixels"), [("png", "rgb24"), ("mpeg2video", "yuv420p")])
def test_only_a_few_decoders_are_let_near_it(tmp_path, codec, pixels):
    with pytest.raises(media.NotAClip):
        media.probe(clips.shoot(tmp_path / "clip.mp4", 2, codec, pixels=pixels), tmp_path / "thumb.jpg")


@pytest.mark.parametrize("seed", range(4))
def test_a_file_with_whatever_wrong_is_no_clip_or_one_with_pictures(tmp_path, seed):
    """Cut anywhere, and with bytes that are not what they were."""
    random = numpy.random.default_rng(seed)
    whole = clips.shoot(tmp_path / "whole.mp4", 4, g="2").read_bytes()
    clip, outcomes = tmp_path / "clip.mp4", {True: 0, False: 0}
    for _ in range(60):
        content = bytearray(whole[: random.integers(1, 2 * len(whole))])
        for at in random.integers(0, len(content), random.integers(0, 8)):
            content[at] = random.integers(0, 256)
        clip.write_bytes(content)
        try:
            media.probe(clip, tmp_path / "thumb.jpg")
        except media.NotAClip:
            outcomes[False] += 1
            continue
        outcomes[True] += 1
        media.save_last_frame(clip, tmp_path / "last.png")
        media.probe(clip, tmp_path / "thumb.jpg")
    assert all(outcomes.values())


def jpeg(side):
    packed = io.BytesIO()
    Image.new("L", (side, side), 99).save(packed, "JPEG", quality=5)
    return packed.getvalue()


def mux(path, *jpegs):
    """A film of these pictures, which says that it is of 64 x 64."""
    with av.open(str(path), "w", format="mov") as output:
        stream = output.add_stream("mjpeg", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuvj420p"
        output.start_encoding()
        for number, content in enumerate(jpegs):
            packet = av.Packet(content)
            packet.stream, packet.pts, packet.dts, packet.duration = stream, number, number, 1
            packet.time_base, packet.is_keyframe = Fraction(1, 24), True
            output.mux(packet)
    return path


def test_a_huge_picture_is_refused_before_it_takes_memory(tmp_path):
    clip = mux(tmp_path / "clip.mp4", jpeg(8200))
    with pytest.raises(media.NotAClip):
        media.probe(clip, tmp_path / "thumb.jpg")
    assert not (tmp_path / "thumb.jpg").exists()


def test_a_huge_picture_behind_a_small_one_is_left_out(tmp_path):
    clip = mux(tmp_path / "clip.mp4", jpeg(64), jpeg(8200))
    assert media.probe(clip, tmp_path / "thumb.jpg").width == 64
    media.save_last_frame(clip, tmp_path / "last.png")
    assert look(tmp_path / "last.png")[1] == (64, 64)


@pytest.fixture
def sink():
    """A port whose callers wait in line until somebody looks."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{0}\n#EXT-X-ENDLIST\n"
PLAYLISTS = {
    "hls": HLS,
    "hls key": HLS.replace("#EXTINF", '#EXT-X-KEY:METHOD=AES-128,URI="{0}"\n#EXTINF'),
    "hls map": HLS.replace("#EXTINF", '#EXT-X-MAP:URI="{0}"\n#EXTINF'),
    "hls master": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{0}\n",
    "dash": """<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"
        mediaPresentationDuration="PT2S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period>
        <AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>{0}</BaseURL>
        <SegmentBase indexRange="0-1"/></Representation></AdaptationSet></Period></MPD>""",
    "ffconcat": "ffconcat version 1.0\nfile '{0}'\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {1} RTP/AVP 32\n",
    "asx": '<asx version="3.0"><entry><ref href="{0}"/></entry></asx>',
    "smil": '<smil><body><video src="{0}"/></body></smil>',
    "imf": '<?xml version="1.0"?><CompositionPlaylist><Id>{0}</Id></CompositionPlaylist>',
    "reference movie": "\0\0\0\x08moov{0}",
    "page": "<!doctype html><html><title>Sign in</title><body>{0}</body></html>",
    "nothing": "",
    "noise": "\x01\x02\x03{0}",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("place", ["neighbour.mp4", "file:{folder}/neighbour.mp4", "http://127.0.0.1:{port}/clip.mp4"])
def test_what_only_names_other_files_is_no_clip(tmp_path, sink, kind, place):
    """The demuxer is forced: nothing that the file names is opened, here or elsewhere."""
    port = sink.getsockname()[1]
    clips.shoot(tmp_path / "neighbour.mp4", 2)
    clip = tmp_path / "clip.mp4"
    clip.write_text(PLAYLISTS[kind].format(place.format(folder=tmp_path, port=port), port))
    for use in (
        lambda path: media.probe(path, tmp_path / "thumb.jpg"),
        lambda path: media.save_last_frame(path, tmp_path / "last.png"),
    ):
        with pytest.raises(media.NotAClip):
            use(clip)
    with pytest.raises(BlockingIOError):
        sink.accept()
    assert not (tmp_path / "last.png").exists()


def test_without_the_forced_demuxer_a_neighbour_would_have_been_read(tmp_path):
    """Or the test above proves nothing."""
    clips.shoot(tmp_path / "neighbour.mp4", 2)
    clip = tmp_path / "clip.mp4"
    clip.write_text(PLAYLISTS["ffconcat"].format("neighbour.mp4"))
    with av.open(str(clip), options={"protocol_whitelist": "file"}) as container:
        assert next(container.decode(video=0)).width == SIZE[0]
