"""Files in a bucket are looked through as those in a folder are: over HTTP, as S3 answers."""

import dataclasses
import hashlib
import http.server
import threading
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from services.cli import check_files, check_gateway, exits

SUB, LATE = f"sub_{'a' * 26}", f"sub_{'b' * 26}"
KEY, ORPHAN = f"t/acme/clips/{SUB}.mp4", f"t/acme/clips/{LATE}.mp4"
SHA = hashlib.sha256(b"a clip").hexdigest()
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
WRITTEN = "2026-11-20T12:00:00.000Z"
STORED = check_gateway.Submission(
    id=SUB,
    job_id="job_1",
    attempt=1,
    state="STORED",
    cost=1,
    spent=1,
    reserved=0,
    suspense=0,
    reason="",
    clip={"media": {"key": KEY, "size_bytes": 6, "sha256": SHA}},
    is_settled=True,
)


class Bucket(http.server.BaseHTTPRequestHandler):
    """Two clips, and one upload that was never finished."""

    def do_GET(self) -> None:
        if "uploads" in parse_qs(urlsplit(self.path).query, keep_blank_values=True):
            return self._xml(
                "ListMultipartUploadsResult",
                f"<Upload><Key>{KEY}</Key><UploadId>1</UploadId><Initiated>{WRITTEN}</Initiated></Upload>",
            )
        contents = "".join(
            f"<Contents><Key>{key}</Key><LastModified>{WRITTEN}</LastModified><Size>6</Size></Contents>"
            for key in (KEY, ORPHAN)
        )
        self._xml("ListBucketResult", f"<Name>media</Name><IsTruncated>false</IsTruncated>{contents}")

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.send_header("ETag", '"e"')
        self.send_header("Last-Modified", "Fri, 20 Nov 2026 12:00:00 GMT")
        self.send_header("x-amz-meta-sha256", SHA if self.path.endswith(f"{SUB}.mp4") else "0" * 64)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _xml(self, name: str, content: str) -> None:
        body = f'<?xml version="1.0" encoding="UTF-8"?><{name} xmlns="{NAMESPACE}">{content}</{name}>'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def shelf() -> Iterator[check_files.Shelf]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bucket) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield check_files.open_shelf(f"s3://access:hush@127.0.0.1:{server.server_port}/media?secure=false")
        server.shutdown()
        thread.join()


async def wrong(shelf: check_files.Shelf, *submissions: check_gateway.Submission) -> dict[str, tuple[str, ...]]:
    found = await check_files.findings(shelf, {one.id: one for one in submissions}, 300)
    return {promise: broken for promise, _, broken in found}


async def test_orphans_and_unfinished_uploads_of_a_bucket_are_found(shelf: check_files.Shelf) -> None:
    assert await wrong(shelf, STORED) == {
        "every stored clip is there, whole and unchanged": (),
        "every clip that is there is named by its submission": (ORPHAN,),
        "no file is left half written": (KEY,),
    }


async def test_a_clip_that_is_still_brought_home_is_no_orphan(shelf: check_files.Shelf) -> None:
    fetching = dataclasses.replace(STORED, id=LATE, state="FETCHING", clip=None)
    assert (await wrong(shelf, STORED, fetching))["every clip that is there is named by its submission"] == ()


async def test_a_clip_with_another_digest_is_found(shelf: check_files.Shelf) -> None:
    other = dataclasses.replace(STORED, id=LATE, clip={"media": {"key": ORPHAN, "size_bytes": 6, "sha256": SHA}})
    broken = (await wrong(shelf, STORED, other))["every stored clip is there, whole and unchanged"]
    assert broken == (f"{ORPHAN} is not what was stored",)


def test_another_kind_of_address_is_refused() -> None:
    with pytest.raises(exits.Ended, match="should be"):
        check_files.open_shelf("https://hush@host/bucket")
