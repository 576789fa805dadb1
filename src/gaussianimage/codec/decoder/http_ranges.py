"""Byte ranges of a file on a web server."""

import urllib.error
import urllib.request

from gaussianimage.codec.decoder.ranges import START, ByteRanges

_TIMEOUT = 30.0  # seconds for an answer of the server


class HttpRanges(ByteRanges):
    """The ranges of a file on a web server that answers requests for ranges.

    Raises
    ------
    OSError
        The server can't be reached, has no such file, or does not answer requests for ranges.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        first, size, tag = self._request(0, START)
        super().__init__(size, url, (url, size, tag))
        self._first = first
        self._tag = tag
        self.bytes_read = len(first)

    def _read(self, offset: int, length: int) -> bytes:
        if offset + length <= len(self._first):
            return self._first[offset : offset + length]
        if length == 0:
            return b""
        data, size, tag = self._request(offset, length)
        if (size, tag) != (self.size, self._tag):
            raise OSError(f"{self._url}: the file has changed while it was read")
        return data

    def _request(self, offset: int, length: int) -> tuple[bytes, int, str]:
        """Return the bytes of a range, the size of the file and its tag."""
        header = {"Range": f"bytes={offset}-{offset + length - 1}"}
        request = urllib.request.Request(self._url, headers=header)
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
                if answer.status != 206:
                    raise OSError(f"{self._url}: the server does not answer requests for ranges")
                total = answer.headers.get("Content-Range", "").rpartition("/")[2]
                if not total.isdecimal():
                    raise OSError(f"{self._url}: the server does not tell the size of the file")
                tag = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
                return answer.read(length), int(total), tag
        except urllib.error.HTTPError as error:
            raise OSError(f"{self._url}: {error.code} {error.reason}") from error
        except urllib.error.URLError as error:
            raise OSError(f"{self._url}: {error.reason}") from error
