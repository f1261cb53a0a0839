import asyncio
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rushes.type.v1 import media_pb2
from services.cli import download, exits

FILM = bytes(range(256)) * 5000


class _Shelf(http.server.BaseHTTPRequestHandler):
    busy = 0

    def do_GET(self) -> None:
        if type(self).busy:
            type(self).busy -= 1
            self.send_error(503)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(FILM)))
        self.end_headers()
        self.wfile.write(FILM)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def media() -> Iterator[media_pb2.Media]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Shelf) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield media_pb2.Media(
            url=f"http://127.0.0.1:{server.server_port}/film.mp4", sha256=hashlib.sha256(FILM).hexdigest()
        )
        server.shutdown()
        thread.join()


def test_a_film_arrives_whole_even_when_the_server_was_busy(media: media_pb2.Media, tmp_path: Path) -> None:
    _Shelf.busy = 1
    asyncio.run(download.fetch(media, tmp_path / "film.mp4"))
    assert (tmp_path / "film.mp4").read_bytes() == FILM
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


def test_a_damaged_film_is_not_left_behind(media: media_pb2.Media, tmp_path: Path) -> None:
    media.sha256 = "0" * 64
    with pytest.raises(exits.Ended, match="arrived damaged"):
        asyncio.run(download.fetch(media, tmp_path / "film.mp4"))
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(media: media_pb2.Media, tmp_path: Path) -> None:
    with pytest.raises(exits.Ended, match="Choose another place with -o"):
        asyncio.run(download.fetch(media, tmp_path / "none" / "film.mp4"))
