"""The three files that file managers read, by freedesktop.org's specifications."""

import re
from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

from gaussianimage.codec.format.container import EXTENSION, MIME_TYPE, SIGNATURE

__all__ = ["FILES", "desktop_files"]

MIME_INFO = "mime/packages/gaussianimage.xml"
THUMBNAILER = "thumbnailers/gaussianimage.thumbnailer"
DESKTOP_ENTRY = "applications/gaussianimage.desktop"
FILES = (MIME_INFO, THUMBNAILER, DESKTOP_ENTRY)
"""Names of the files, relative to a data folder such as ``~/.local/share``."""


def desktop_files(program: Sequence[str]) -> dict[str, bytes]:
    """Return the content of each file of `FILES`.

    Parameters
    ----------
    program : sequence of str
        The words that start `gaussianimage`; the first is the absolute path of an executable.
    """
    texts = {
        MIME_INFO: _mime_info(),
        THUMBNAILER: _thumbnailer(program),
        DESKTOP_ENTRY: _desktop_entry(program),
    }
    return {name: text.encode("utf-8", "surrogateescape") for name, text in texts.items()}


def _mime_info() -> str:
    # Escapes as in C, which shared-mime-info reads.
    signature = "".join(f"\\x{byte:02x}" for byte in SIGNATURE)
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">
  <mime-type type={quoteattr(MIME_TYPE)}>
    <comment>GaussianImage picture</comment>
    <generic-icon name="image-x-generic"/>
    <magic priority="60">
      <match type="string" offset="0" value={quoteattr(signature)}/>
    </magic>
    <glob pattern={quoteattr(f"*{EXTENSION}")}/>
  </mime-type>
</mime-info>
"""


def _thumbnailer(program: Sequence[str]) -> str:
    return f"""\
[Thumbnailer Entry]
TryExec={_escape(program[0])}
Exec={_command_line(program)} thumbnail --size %s -- %i %o
MimeType={MIME_TYPE};
"""


def _desktop_entry(program: Sequence[str]) -> str:
    return f"""\
[Desktop Entry]
Type=Application
Name=GaussianImage
Comment=Show a .gimg file in the picture viewer
Icon=image-x-generic
TryExec={_escape(program[0])}
Exec={_command_line(program)} desktop view -- %f
MimeType={MIME_TYPE};
Categories=Graphics;Viewer;
NoDisplay=true
Terminal=false
"""


def _command_line(words: Sequence[str]) -> str:
    """Return words as the start of an ``Exec`` line, where ``%`` begins a field code."""
    return _escape(" ".join(map(_quote, words)).replace("%", "%%"))


def _quote(word: str) -> str:
    if re.fullmatch(r"[\w@%+=:,./-]+", word, re.ASCII):
        return word
    escaped = re.sub(r'(["`$\\])', r"\\\1", word)
    return f'"{escaped}"'


def _escape(value: str) -> str:
    """Return a value as a key file has it."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
