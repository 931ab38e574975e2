import hashlib
import http.server
import threading

import pytest

from emrys.blocks.datasets.download import download, md5
from emrys.blocks.errors import ConfigError, EmrysError

CONTENT = bytes(range(256)) * 4096  # 1 MiB


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT; `cuts` says after how many bytes of an answer to close the connection, request by request."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.cuts = []
        self.statuses = []
        self.ranges = []
        self.knows_ranges = True

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/a.zip"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, asked = self.server, self.headers.get("Range")
        server.ranges.append(asked)
        if server.statuses:
            status = server.statuses.pop(0)
            if status != 200:
                self.send_error(status)
                return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and server.knows_ranges else 0
        if start and start >= len(server.content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(server.content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            end = len(server.content)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.cuts.pop(0)] if server.cuts else body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def refuse_all_but(content):
    def verify(path):
        if path.read_bytes() != content:
            raise EmrysError("the checksum of the file differs", path=path)

    return verify


accept = refuse_all_but(CONTENT)


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_whole_file_with_progress(server, tmp_path):
    seen = []
    path = download(server.url, tmp_path / "deep" / "a.zip", verify=accept, progress=lambda *args: seen.append(args))
    assert path.read_bytes() == CONTENT
    assert files(tmp_path / "deep") == ["a.zip"]
    assert seen[-1] == (1 << 20, 1 << 20)
    assert seen == sorted(seen)


def test_a_broken_connection_is_taken_up_where_it_broke(server, tmp_path):
    server.cuts = [400_000, 300_000]
    path = download(server.url, tmp_path / "a.zip", verify=accept, pause=0.001)
    assert path.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=400000-", "bytes=700000-"]


def test_an_earlier_download_is_reused(server, tmp_path):
    server.cuts = [400_000]
    with pytest.raises(EmrysError) as error:
        download(server.url, tmp_path / "a.zip", verify=accept, attempts=1)
    assert str(error.value) == (
        f"{server.url}: the download failed (the connection ended after 400000 of 1048576 bytes). Run again to "
        "resume, or download the file in another way and pass its path."
    )
    assert error.value.exit_status == 1
    assert files(tmp_path) == ["a.zip.part"]
    download(server.url, tmp_path / "a.zip", verify=accept)
    assert files(tmp_path) == ["a.zip"]
    assert server.ranges == [None, "bytes=400000-"]


def test_a_server_that_knows_no_ranges(server, tmp_path):
    server.knows_ranges = False
    server.cuts = [400_000]
    path = download(server.url, tmp_path / "a.zip", verify=accept, pause=0.001)
    assert path.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=400000-"]


def test_all_of_it_was_there(server, tmp_path):
    (tmp_path / "a.zip.part").write_bytes(CONTENT)
    assert download(server.url, tmp_path / "a.zip", verify=accept).read_bytes() == CONTENT
    assert server.ranges == ["bytes=1048576-"]


def test_more_was_there_than_the_server_has(server, tmp_path):
    (tmp_path / "a.zip.part").write_bytes(CONTENT + b"more")
    path = download(server.url, tmp_path / "a.zip", verify=accept, pause=0.001)
    assert path.read_bytes() == CONTENT
    assert server.ranges == ["bytes=1048580-", None]


def test_a_part_of_another_file_is_dropped(server, tmp_path):
    (tmp_path / "a.zip.part").write_bytes(b"x" * 1000)
    path = download(server.url, tmp_path / "a.zip", verify=accept)
    assert path.read_bytes() == CONTENT
    assert server.ranges == ["bytes=1000-", None]


def test_a_wrong_file_is_refused_and_deleted(server, tmp_path):
    server.content = CONTENT[:-1]
    with pytest.raises(EmrysError) as error:
        download(server.url, tmp_path / "a.zip", verify=accept)
    assert str(error.value) == f"{tmp_path}/a.zip.part: the checksum of the file differs"
    assert files(tmp_path) == []


def test_a_busy_server_is_asked_again(server, tmp_path):
    server.statuses = [503, 429, 200]
    assert download(server.url, tmp_path / "a.zip", verify=accept, pause=0.001).read_bytes() == CONTENT
    assert len(server.ranges) == 3


def test_a_missing_object_is_requested_once(server, tmp_path):
    server.statuses = [404]
    with pytest.raises(EmrysError, match=r"the download failed \(HTTP Error 404: Not Found\)"):
        download(server.url, tmp_path / "a.zip", verify=accept)
    assert len(server.ranges) == 1


def test_nobody_answers(server, tmp_path):
    url = server.url
    server.server_close()
    with pytest.raises(EmrysError, match=r"the download failed \(.*Connection refused"):
        download(url, tmp_path / "a.zip", verify=accept, attempts=2, pause=0.001)
    assert files(tmp_path) == []


def test_a_local_path_as_address(tmp_path):
    (tmp_path / "source.zip").write_bytes(CONTENT)
    path = download((tmp_path / "source.zip").as_uri(), tmp_path / "a.zip", verify=accept)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/a.zip", "a.zip"])
def test_other_kinds_of_address(tmp_path, url):
    with pytest.raises(ConfigError) as error:
        download(url, tmp_path / "a.zip", verify=accept)
    assert str(error.value) == f"{url}: the address is not supported; expected https://, http:// or file://"


def test_md5(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert md5(tmp_path / "a") == "900150983cd24fb0d6963f7d28e17f72"  # of RFC 1321
    (tmp_path / "b").write_bytes(CONTENT * 3)
    assert md5(tmp_path / "b") == hashlib.md5(CONTENT * 3, usedforsecurity=False).hexdigest()
