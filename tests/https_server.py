"""A server over HTTPS on this machine, which fails as asked and lets nobody but this run's tests trust it."""

import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ETAG = '"one"'
PIECE = 2**14  # bytes


class Server(ThreadingHTTPServer):
    """Serves `content` under every path; each request first takes one fault off the list."""

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = content
        self.headers = {"ETag": ETAG}
        self.knows_ranges = True
        # "break": half an answer; of no told size: "cut", half, "drop", half and no word that this is the end, "open",
        # all, and "leave", all and no word; "redirect"; or a status.
        self.faults = []
        self.ranges = []  # what each request asked for
        self.pause = 0.0  # seconds between two pieces of an answer

    def address(self, name):
        return f"https://127.0.0.1:{self.server_address[1]}/{name}"

    def handle_error(self, request, client_address):
        pass  # a client that hangs up, or is killed


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        fault = self.server.faults.pop(0) if self.server.faults else None
        if fault == "redirect":
            self._answer(302, b"", {"Location": "http://127.0.0.1:1/elsewhere"})
        elif isinstance(fault, int):
            self._answer(fault, b"sorry", {})
        elif asked and self._may_continue():
            self._answer_range(int(asked.removeprefix("bytes=").removesuffix("-")), fault)
        else:
            self._answer(200, self.server.content, self.server.headers, fault)

    def _may_continue(self):
        version = self.headers.get("If-Range")
        return self.server.knows_ranges and version in (None, *self.server.headers.values())

    def _answer_range(self, start, fault):
        size = len(self.server.content)
        if start >= size:
            self._answer(416, b"", {"Content-Range": f"bytes */{size}"})
        else:
            span = {"Content-Range": f"bytes {start}-{size - 1}/{size}"}
            self._answer(206, self.server.content[start:], self.server.headers | span, fault)

    def _answer(self, status, body, headers, fault=None):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if fault not in ("cut", "drop", "open", "leave"):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self._send(body[: len(body) // 2] if fault in ("break", "cut", "drop") else body)
        self.close_connection = True
        if fault in ("cut", "open"):
            self._say_that_this_is_all()

    def _say_that_this_is_all(self):
        with suppress(OSError):  # a client that hangs up without the same word
            self.connection.unwrap()

    def _send(self, body):
        for start in range(0, len(body), PIECE):
            self.wfile.write(body[start : start + PIECE])
            time.sleep(self.server.pause)


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that only those trust who are told to, and its key, in `folder`."""
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        ["openssl", "req", *kind, *subject, "-keyout", "key.pem", "-out", "certificate.pem"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return folder / "certificate.pem", folder / "key.pem"


@contextmanager
def serving(content: bytes, certificate: tuple[Path, Path]) -> Iterator[Server]:
    """A server of `content`, until the block ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with Server(content) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()
