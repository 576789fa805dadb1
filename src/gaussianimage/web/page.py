"""Pages of a single file: a picture to zoom into, and the viewer with its files."""

import base64
import gzip
import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from gaussianimage.web.bundle import MODULES, bundle, squeeze
from gaussianimage.web.data_url import data_url

__all__ = ["Photo", "PictureFile", "picture_page", "viewer_page"]

# What the browser may load for such a page: nothing but what is in the page.
_NOTHING = (
    "default-src 'none'; script-src 'unsafe-inline' blob:; style-src 'unsafe-inline'; "
    "img-src data: blob:; worker-src blob:"
)
# The viewer also fetches what its address names.
_ANYTHING_ASKED_FOR = f"{_NOTHING}; connect-src *"


# Unpacks the page's script and runs it; a worker runs the same script again.
_UNPACK = """\
const message = document.getElementById('message') ?? document.body;
try {
const packed = atob(document.getElementById('gimg-packed').textContent);
const bytes = Uint8Array.from(packed, (c) => c.charCodeAt(0));
const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
const script = document.createElement('script');
script.type = 'module';
script.id = 'gimg-bundle';
script.textContent = await new Response(stream).text();
document.body.append(script);
} catch {
message.hidden = false;
message.textContent = 'This page needs a browser of 2023 or later.';
}
"""


@dataclass(frozen=True)
class PictureFile:
    """A `.gimg` file for a page.

    Attributes
    ----------
    name : str
        What the page calls it.
    data : bytes
        The whole file.
    alt : str
        A description for people who don't see the picture.
    """

    name: str
    data: bytes
    alt: str = ""


@dataclass(frozen=True)
class Photo:
    """A picture in a format that browsers know, to compare with.

    Attributes
    ----------
    name : str
        What the page calls it.
    data : bytes
        The whole file.
    """

    name: str
    data: bytes


def picture_page(file: PictureFile, *, title: str | None = None) -> str:
    """Return an HTML page of a picture that zooms without end and needs no network.

    Parameters
    ----------
    file : PictureFile
        The picture.
    title : str, optional
        Title of the page; the file's name by default.

    Raises
    ------
    FormatError, TruncatedError, UnsupportedError, LimitError
        As for `gaussianimage.data_url`.
    """
    return _page("page", [file], None, title or file.name, _NOTHING)


def viewer_page(files: Sequence[PictureFile], reference: Photo | None = None) -> str:
    """Return the viewer as an HTML page that holds its files.

    Parameters
    ----------
    files : sequence of PictureFile
        The files that the page shows; it may be empty, and files may be dropped on the page.
    reference : Photo, optional
        The picture to compare with.

    Raises
    ------
    FormatError, TruncatedError, UnsupportedError, LimitError
        As for `gaussianimage.data_url`.
    """
    return _page("viewer", files, reference, "gimg viewer", _ANYTHING_ASKED_FOR)


def _page(
    name: str, files: Sequence[PictureFile], reference: Photo | None, title: str, policy: str
) -> str:
    """Put a page's style, script and files into it."""
    text = (MODULES / f"{name}.html").read_text(encoding="utf-8")
    style = squeeze((MODULES / f"{name}.css").read_text(encoding="utf-8"))
    held = {
        "files": [{"name": f.name, "alt": f.alt, "data": data_url(f.data)} for f in files],
        "reference": reference and {"name": reference.name, "data": _photo_url(reference)},
    }
    # Such a page can't hold a tiled file; tiled files may be dropped on the viewer.
    script = _packed(bundle(f"{name}.js", without=() if name == "viewer" else ("tiled.js",)))
    # In a script element only "</" and "<!--" could end the text early.
    data = json.dumps(held).replace("<", "\\u003c")
    rule = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    parts = {
        '<meta charset="utf-8">\n': f'<meta charset="utf-8">\n{rule}\n',
        f'<link rel="stylesheet" href="{name}.css">': f"<style>\n{style}</style>",
        f'<script type="module" src="{name}.js"></script>': (
            f'<script type="application/json" id="gimg-files">{data}</script>\n'
            f'<script type="application/gzip" id="gimg-packed">{script}</script>\n'
            f'<script type="module">\n{_UNPACK}</script>'
        ),
    }
    for part, whole in parts.items():
        assert text.count(part) == 1, part
        text = text.replace(part, whole)
    return re.sub(r"<title>.*?</title>", lambda _: f"<title>{html.escape(title)}</title>", text)


def _packed(text: str) -> str:
    """Compress a script; the same script always gives the same text."""
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode("ascii")


def _photo_url(photo: Photo) -> str:
    """Return a photo as a data: address; the browser finds out its format."""
    return f"data:application/octet-stream;base64,{base64.b64encode(photo.data).decode('ascii')}"
