"""A server that answers as S3 does to reading: listings, and whole objects or parts of them."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

#: Content of each object, by bucket and key: `bucket/key`.
Objects = dict[str, bytes]


@contextlib.contextmanager
def small_s3(monkeypatch, objects: Objects) -> Iterator[list[str]]:
    """Starts the server, points Arrow at it, and yields the lines of its requests."""
    requests: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            requests.append(f"{self.command} {self.path}")
            parts = urlsplit(self.path)
            name, query = unquote(parts.path).strip("/"), parse_qs(parts.query)
            if "list-type" in query:
                self._answer(200, _listing(objects, name, query), "application/xml")
            elif name in objects:
                content, status = objects[name], 200
                if "Range" in self.headers:
                    first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
                    content, status = content[int(first) : int(last) + 1], 206
                self._answer(status, content, "application/octet-stream", len(objects[name]))
            else:
                known = "/" not in name and any(key.startswith(f"{name}/") for key in objects)
                self._answer(200 if known else 404, b"", "application/xml")

        do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

        def _answer(self, status: int, content: bytes, kind: str, size: int | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Last-Modified", "Sun, 01 Nov 2026 00:00:00 GMT")
            self.send_header("ETag", '"1"')
            self.send_header("Content-Length", str(size if self.command == "HEAD" and size else len(content)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_address[1]}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "something")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield requests
        server.shutdown()


def _listing(objects: Objects, bucket: str, query: dict[str, list[str]]) -> bytes:
    prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
    keys = [name.removeprefix(f"{bucket}/") for name in sorted(objects) if name.startswith(f"{bucket}/{prefix}")]
    folders, files = set(), []
    for key in keys:
        first, found, _ = key.removeprefix(prefix).partition(delimiter) if delimiter else (key, "", "")
        if found:
            folders.add(f"{prefix}{first}{delimiter}")
        else:
            files.append(key)
    entries = [
        f"<Contents><Key>{escape(key)}</Key><LastModified>2026-11-01T00:00:00.000Z</LastModified>"
        f"<Size>{len(objects[f'{bucket}/{key}'])}</Size></Contents>"
        for key in files
    ]
    entries += [f"<CommonPrefixes><Prefix>{escape(each)}</Prefix></CommonPrefixes>" for each in sorted(folders)]
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><IsTruncated>false</IsTruncated>'
        f"<KeyCount>{len(entries)}</KeyCount>"
        f"<Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix>{''.join(entries)}</ListBucketResult>"
    ).encode()
