"""Any bytes as a picture to encode: what Pillow reads, and what the package reads itself."""

import io
import random
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, features
from support.mutation import mutate_bytes
from support.outcome import attempt

from gaussianimage.picture import read

DATA = Path(__file__).parents[2] / "tests" / "data"
MOST_PIXELS = 2**18
_PNG = b"\x89PNG\r\n\x1a\n"


def seeds() -> list[bytes]:
    """Return small pictures in many formats and modes."""
    with Image.open(DATA / "parrot.png") as picture:
        small = picture.convert("RGB").resize((24, 16))
    found = [path.read_bytes() for path in sorted((DATA / "tiff16").glob("*.tif*"))]
    modes = ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"]
    deep = Image.fromarray(np.arange(24 * 16, dtype=np.uint16).reshape(16, 24) * 97)
    found += [_saved(deep if m == "I;16" else small.convert(m), "PNG") for m in modes]
    exif = Image.Exif()
    exif[0x0112] = 6
    found.append(_saved(small, "JPEG", exif=exif))
    found.append(_saved(small, "JPEG", progressive=True))
    found.append(_saved(small.convert("CMYK"), "JPEG"))
    packings = ("raw", "tiff_lzw", "tiff_deflate", "packbits")
    found += [_saved(small, "TIFF", compression=packing) for packing in packings]
    found += [_saved(deep, "TIFF"), _saved(small, "PPM"), _saved(deep, "PPM")]
    found += [_saved(small, "BMP"), _saved(small.convert("P"), "GIF"), _saved(small, "TGA")]
    if features.check("webp"):
        found.append(_saved(small.convert("RGBA"), "WEBP"))
    return found


def _saved(image: Image.Image, format_name: str, **options: object) -> bytes:
    target = io.BytesIO()
    image.save(target, format_name, **options)
    return target.getvalue()


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Change the bytes; of PNG files mostly a chunk, whose checksum is put right."""
    if not data.startswith(_PNG) or rng.random() < 0.1:
        return mutate_bytes(data, rng, [])
    chunks, position = [], len(_PNG)
    while position + 8 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        chunks.append((kind, data[position + 8 : position + 8 + length]))
        position += 12 + length
    if not chunks:
        return mutate_bytes(data, rng, [])
    which = rng.randrange(len(chunks))
    kind, payload = chunks[which]
    if kind == b"IDAT" and rng.random() < 0.5:
        try:
            payload = zlib.compress(mutate_bytes(zlib.decompress(payload), rng, []))
        except zlib.error:
            payload = mutate_bytes(payload, rng, [])
    else:
        payload = mutate_bytes(payload, rng, [])
    chunks[which] = (kind, payload)
    if rng.random() < 0.2:
        kind = rng.choice([b"gAMA", b"cHRM", b"cICP", b"tRNS", b"PLTE", b"iCCP", b"eXIf", b"iTXt"])
        chunks.insert(rng.randrange(len(chunks)), (kind, rng.randbytes(rng.choice([1, 4, 32]))))
    out = bytearray(_PNG)
    for kind, payload in chunks:
        out += len(payload).to_bytes(4, "big") + kind + payload
        out += zlib.crc32(kind + payload).to_bytes(4, "big")
    return bytes(out)


def check(data: bytes) -> str:
    """Read the picture as `encode` does."""
    outcome = attempt(lambda: read(data, max_pixels=MOST_PIXELS))
    if outcome.error is None:
        pixels = np.asarray(outcome.value)
        assert pixels.shape[0] * pixels.shape[1] <= MOST_PIXELS
        assert np.isfinite(pixels).all()
    return outcome.name
