"""Make the golden files of the paper's profile: tests/data/v1/paper/*.gimg and what they decode to.

Usage: python tests/data/make_golden_paper.py [NAME ...]

Every later version of the package must decode these files to the same Gaussians, so none is ever
made again: the script refuses to replace one. There is one for every kind of stream, and together
they have every kind of quantizer.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from gaussianimage.codec.decoder.decode import decode, decode_gaussians
from gaussianimage.codec.decoder.paper_record import decode_record
from gaussianimage.codec.format.header import VERSION
from gaussianimage.codec.paper_profile.file import encode_record

DATA = Path(__file__).resolve().parent
FOLDER = DATA / f"v{VERSION}" / "paper"
EXPECTED = FOLDER / "expected.json"

sys.path.insert(0, str(DATA.parent / "support"))

SIZE = {"height": 45, "width": 77}

# The name is that of the stream, and what else there is behind a +. About a third of the Gaussians
# of a set are there more than once.
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "entropy": {"rotation": True, "channels": 4, "stages": 3, "color_bits": 4},
    "bits-back": {"repeats": True, "half_pixel": True},
    "entropy-bits-back": {"color": "uniform", "color_bits": 6, "shape_bits": 5, "offset": False},
    "interleaved": {"channels": 1, "color": "uniform", "color_bits": 12, "shape_bits": 12},
    "entropy-interleaved": {"repeats": True, "channels": 2, "stages": 1, "color_bits": 8},
    "entropy+angle": {"rotation": True, "angle": True},
}


def make(name: str) -> bytes:
    """Return the file of a name."""
    from paper_samples import paper_record

    record = paper_record(150, 2024, **SIZE, **KINDS[name])
    stream = name.partition("+")[0]
    return encode_record(record, stream=stream, bit_depth=16 if stream == "plain" else 8)


def facts(data: bytes) -> dict[str, object]:
    """Return digests of a file's Gaussians and pixels."""
    record, gaussians = decode_record(data), decode_gaussians(data)
    return {
        "file": digest(np.frombuffer(data, np.uint8)),
        "gaussians": len(record),
        "rows": digest(record.rows()),
        "side_information": digest(np.frombuffer(record.side_information(), np.uint8)),
        "means": digest(gaussians.means),
        "covariance": digest(gaussians.covariance),
        "colors": digest(gaussians.colors),
        "uint8": digest(decode(data)),
        "uint16": digest(decode(data, dtype=np.uint16)),
    }


def digest(array: np.ndarray) -> str:
    """Return the SHA-256 of an array's bytes in little-endian order."""
    little = array.astype(array.dtype.newbyteorder("<"), order="C")
    return hashlib.sha256(little.tobytes()).hexdigest()


def main(names: list[str]) -> None:
    """Make the missing files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    known = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    for name in names or [name for name in KINDS if name not in known]:
        path = FOLDER / f"{name}.gimg"
        if path.exists():
            raise SystemExit(f"{path} is there: golden files are never made again")
        data = make(name)
        path.write_bytes(data)
        known[name] = facts(data)
    EXPECTED.write_text(json.dumps(dict(sorted(known.items())), indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
