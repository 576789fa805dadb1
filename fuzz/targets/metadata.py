"""Any bytes as ICC profile, EXIF or XMP of a valid file, decoded and written to other formats."""

import io
import random
import zlib
from pathlib import Path

from PIL import Image, ImageCms
from support.mutation import RawChunk, mutate_bytes, read_raw, varint, write_raw
from support.outcome import attempt

import gaussianimage
from gaussianimage.picture import read
from gaussianimage.picture.icc import color_space, convert_to_gray, convert_to_rgb, is_srgb

FILE = Path(__file__).parents[2] / "tests" / "data" / "v1" / "rgb.gimg"
KINDS = [b"iCCP", b"eXIF", b"xXMP"]
LIMITS = gaussianimage.Limits(max_metadata=2**20)
_XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF/></x:xmpmeta>'
_WORDS = [b"acsp", b"RGB ", b"GRAY", b"rXYZ", b"rTRC", b"para", b"curv", b"XYZ ", b"A2B0", b"Exif"]
_WORDS += [b"MM\0*", b"II*\0", b"\x01\x12", b"\x87\x69"]


def seeds() -> list[bytes]:
    """Return one byte for the kind, then the data."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a picture"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    return [b"\0" + profile, b"\0" + lab, b"\1" + exif.tobytes(), b"\2" + _XMP]


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Change the bytes, with words of the formats."""
    return mutate_bytes(data, rng, _WORDS)


def check(data: bytes) -> str:
    """Decode a file with this metadata, and write the picture to three formats."""
    if not data:
        return "empty"
    kind, text = KINDS[data[0] % 3], data[1:]
    if kind == b"iCCP":
        for parse in (color_space, is_srgb, convert_to_gray, convert_to_rgb):
            attempt(lambda parse=parse: parse(text))
    # Half of the inputs are compressed, and the others are the compressed bytes themselves.
    packed = zlib.compress(text) if data[0] < 128 else text
    size = len(text) if data[0] < 128 else 100
    chunks = read_raw(FILE.read_bytes())
    chunks.insert(1, RawChunk(kind, varint(size) + packed))
    file = write_raw(chunks)
    picture = attempt(lambda: gaussianimage.decode_picture(file, threads=1, limits=LIMITS))
    names = [picture.name]
    if picture.error is None:
        for format_name in ("PNG", "JPEG", "TIFF"):
            written = attempt(lambda name=format_name: _rewritten(picture.value, name), ValueError)
            names.append(written.name)
    return ", ".join(names)


def _rewritten(picture: gaussianimage.Picture, format_name: str) -> gaussianimage.Picture:
    target = io.BytesIO()
    gaussianimage.write(target, picture, format=format_name)
    return read(target.getvalue())
