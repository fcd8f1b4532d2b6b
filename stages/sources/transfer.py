"""A file fetched over HTTPS, which goes on where an earlier attempt or run broke off, and tells an end from a break."""

import re
import ssl
import time
from pathlib import Path
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from tqdm import tqdm

from stages.common.command import one_line
from stages.common.files import sha256, written_whole
from stages.common.manifest import Copy

# Seconds between attempts that bring nothing new: long enough for a server to recover, short enough to watch.
WAITS = (0.5, 1.0, 2.0, 4.0)
TIMEOUTS = (10, 60)  # seconds: to connect, and between two arrivals of data
CHUNK = 2**18  # bytes
PASSING_STATUS = {408, 425, 429, 500, 502, 503, 504}  # HTTP: may be over at the next attempt
NETWORK_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError)


class NotFetchedError(Exception):
    """A copy that cannot be had or is not what the manifest says; the text tells which and why."""


class InterruptedTransferError(Exception):
    """An attempt that failed in a way that the next one may not."""


class Transfer:
    """A file on its way from `copy.address` to `part`, and beside that the version it belongs to."""

    def __init__(self, copy: Copy, part: Path) -> None:
        self.copy = copy
        self.part = part
        self.version = part.with_name(part.name + ".version")  # two lines: address, ETag or date
        part.parent.mkdir(parents=True, exist_ok=True)

    @property
    def arrived(self) -> int:
        """Bytes that lie in `part`."""
        return self.part.stat().st_size if self.part.exists() else 0

    def discard(self) -> None:
        """Forget what arrived."""
        self.part.unlink(missing_ok=True)
        self.version.unlink(missing_ok=True)

    def complete(self) -> None:
        """Fetch what is missing; the waits between attempts start over whenever more than ever arrived."""
        waits = iter(WAITS)
        most = self.arrived
        with _session() as session:
            while True:
                try:
                    return self._attempt(session)
                except InterruptedTransferError as interruption:
                    if self.arrived > most:
                        waits, most = iter(WAITS), self.arrived
                    wait = next(waits, None)
                    if wait is None:
                        raise NotFetchedError(f"{self.copy.address}: {interruption}") from None
                    time.sleep(wait)

    def _attempt(self, session: requests.Session) -> None:
        try:
            with session.get(
                self.copy.address, headers=self._request_headers(), stream=True, timeout=TIMEOUTS
            ) as response:
                self._receive(response)
        except requests.exceptions.InvalidSchema as error:
            raise NotFetchedError(f"{self.copy.address}: leads away from https:// ({error})") from None
        except NETWORK_ERRORS as error:
            if _breaks_off(error) and self._is_vouched_for():
                return
            raise InterruptedTransferError(f"cannot be fetched ({_innermost(error)})") from None

    def _is_vouched_for(self) -> bool:
        """Whether what arrived is all, by what the manifest says."""
        if self.copy.bytes is not None:
            return self.arrived == self.copy.bytes
        return self.copy.sha256 is not None and self.part.exists() and sha256(self.part) == self.copy.sha256

    def _request_headers(self) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity"}  # the bytes as they lie there, which sizes and ranges count
        kept = self.version.read_text(errors="replace") if self.version.exists() else ""
        address, _, version = kept.partition("\n")
        if not self.arrived or address != self.copy.address:
            self.discard()
            return headers
        headers["Range"] = f"bytes={self.arrived}-"
        if version:
            headers["If-Range"] = version
        return headers

    def _receive(self, response: requests.Response) -> None:
        status = response.status_code
        if status == requests.codes.requested_range_not_satisfiable and self.arrived:
            return self._end_of_range(response)
        if status in PASSING_STATUS:
            raise InterruptedTransferError(f"answers {status} {response.reason}")
        if status not in (requests.codes.ok, requests.codes.partial_content):
            raise NotFetchedError(f"{self.copy.address}: answers {status} {response.reason}")
        if status == requests.codes.partial_content and not self._continues(response):
            self.discard()
            raise InterruptedTransferError("answers with another range than the one asked for")
        if status == requests.codes.ok:
            self._start_over(response)
        return self._append(response)

    def _end_of_range(self, response: requests.Response) -> None:
        """The server has nothing after what arrived: either it is all there, or it is not of this file."""
        if response.headers.get("Content-Range") != f"bytes */{self.arrived}":
            self.discard()
            raise InterruptedTransferError("holds less than what arrived of it before")

    def _continues(self, response: requests.Response) -> bool:
        return response.headers.get("Content-Range", "").startswith(f"bytes {self.arrived}-")

    def _start_over(self, response: requests.Response) -> None:
        self.discard()
        etag = response.headers.get("ETag", "")
        # A weak ETag does not vouch for bytes.
        version = response.headers.get("Last-Modified", "") if etag.startswith("W/") or not etag else etag
        # With neither a version nor a checksum, two halves of different files could pass for one.
        if version or self.copy.sha256:
            with written_whole(self.version) as path:
                path.write_text(f"{self.copy.address}\n{version}")

    def _append(self, response: requests.Response) -> None:
        remaining = response.headers.get("Content-Length", "")
        total = self.arrived + int(remaining) if remaining.isdecimal() else self.copy.bytes
        most = self.copy.bytes or float("inf")
        with self.part.open("ab") as file, _progress(self.copy.file_name, self.arrived, total) as bar:
            # `read1` gives what has arrived, where others would wait for more and lose it if the connection breaks.
            while chunk := response.raw.read1(CHUNK, decode_content=False):
                file.write(chunk)
                bar.update(len(chunk))
                if file.tell() > most:
                    self.discard()
                    raise NotFetchedError(
                        f"{self.copy.address}: sends more than {most} bytes, the manifest's number; correct it if the "
                        "file is another now"
                    )


class _Context(ssl.SSLContext):
    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        """As `SSLContext` does, but a peer that leaves without its close_notify is an error, not an end."""
        return super().wrap_socket(*arguments, **options | {"suppress_ragged_eofs": False})


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, ssl_context=_Context(ssl.PROTOCOL_TLS_CLIENT), **options)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=_Context(ssl.PROTOCOL_TLS_CLIENT), **options)


def _session() -> requests.Session:
    """A session in which no redirect leads away from https://, and an answer without a told size may not break off."""
    opened = requests.Session()
    opened.mount("https://", _Adapter())
    del opened.adapters["http://"]
    return opened


def _breaks_off(error: BaseException) -> bool:
    """Whether the error of reading an answer is a connection closed without TLS's close_notify."""
    return isinstance(error, urllib3.exceptions.SSLError) and any(isinstance(at, ssl.SSLEOFError) for at in error.args)


def _progress(name: str, arrived: int, total: int | None) -> tqdm:
    # disable=None: silent where stderr is no terminal
    return tqdm(desc=name, initial=arrived, total=total, unit="B", unit_scale=True, disable=None)


def _innermost(error: BaseException) -> str:
    """The cause at the bottom of a network error, without the layers and the connection's name around it."""
    if _breaks_off(error):
        return "the connection ends, and the server has not said that this was all"
    wrapped = [error.__dict__.get("reason"), *error.args]
    inner = next((each for each in wrapped if isinstance(each, Exception)), None)
    if inner:
        return _innermost(inner)
    return re.sub(r"^\w+\(.*?\): ", "", one_line(error))
