"""What CHANGELOG promises of files, kept by machine: each version of the format has golden files.

A version that CHANGELOG names has a folder in tests/data, and all that is in it decodes as ever.
The tests of golden files look deeper into those of version 1.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden import digest

from gaussianimage.codec.decoder.decode import decode
from gaussianimage.codec.decoder.file import LayerContent, ParsedFile, TiledContent, parse_file
from gaussianimage.codec.format.header import VERSION

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests/data"
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
FORMAT = (ROOT / "docs/format.md").read_text()
NAMED = {int(number) for number in re.findall(r"[Ff]ormat version (\d+)", CHANGELOG)}


def golden(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the files of a folder and those below, and what is expected of each."""
    for expected in sorted(folder.rglob("expected.json")):
        for name, facts in json.loads(expected.read_text()).items():
            yield expected.parent / f"{name}.gimg", facts


def test_changelog_names_every_version_that_is_read() -> None:
    assert set(range(1, VERSION + 1)) == NAMED
    assert f"# The `.gimg` file format, version {VERSION}\n" in FORMAT


@pytest.mark.parametrize("version", sorted(NAMED))
def test_a_version_that_changelog_names_has_golden_files(version: int) -> None:
    folder = DATA / f"v{version}"
    listed = [path for path, _ in golden(folder)]
    assert len(listed) >= 20
    assert sorted(listed) == sorted(folder.rglob("*.gimg"))


@pytest.mark.parametrize("version", sorted(NAMED))
def test_every_golden_file_is_unchanged_and_decodes_to_the_same_pixels(version: int) -> None:
    for path, facts in golden(DATA / f"v{version}"):
        data = path.read_bytes()
        assert hashlib.sha256(data).hexdigest() == facts["file"], path
        expected = facts["pixels"]["uint8 None"] if "pixels" in facts else facts["uint8"]
        assert digest(decode(data, dtype=np.uint8)) == expected, path


def features(file: ParsedFile) -> Iterator[str]:
    """Yield what of the format a file uses."""
    header, content = file.header, file.content
    kind = "layers"
    if isinstance(content, TiledContent):
        kind = "tiles"
        yield f"{content.index.grid.levels > 1} levels of tiles"
    elif not isinstance(content, LayerContent):
        kind = "paper"
        yield f"paper stream {content.stream}, angle {content.angle}"
        yield f"paper quantizer {type(content.color_quantizer).__name__}"
    yield f"{kind}, {header.channels} channels"
    yield f"{kind}, {header.bit_depth} bits"
    yield f"{kind}, newer {header.version > 1}"
    if isinstance(content, LayerContent):
        yield f"layers: {min(header.layers, 4)}"
        yield f"an empty layer: {any(not any(chunk.payload[:2]) for chunk in content.chunks)}"
        yield f"map of alpha: {min(len(header.alpha_map), 2)}"
    for chunk in file.chunks:
        yield f"{kind}, chunk {chunk.name}"


def test_golden_files_of_version_1_use_all_of_the_format() -> None:
    found = {f for path, _ in golden(DATA / "v1") for f in features(parse_file(path.read_bytes()))}
    streams = ("plain", "entropy", "bits-back", "interleaved")
    wanted = {
        *(f"layers, {n} channels" for n in (1, 2, 3, 4)),
        *(f"{kind}, {bits} bits" for kind in ("layers", "tiles", "paper") for bits in (8, 16)),
        *(f"layers: {n}" for n in (0, 1, 3, 4)),
        *(f"map of alpha: {n}" for n in (0, 1, 2)),
        *(f"layers, chunk {kind}" for kind in ("HEAD", "LAYR", "iCCP", "eXIF", "xXMP", "gRAN")),
        *(f"tiles, chunk {kind}" for kind in ("HEAD", "TIDX", "iCCP", "eXIF", "xXMP", "aNEW")),
        *(f"paper, chunk {kind}" for kind in ("QUAN", "GAUS")),
        *(f"paper stream {stream}, angle False" for stream in streams),
        *(f"paper stream entropy-{stream}, angle False" for stream in streams[2:]),
        *(f"paper quantizer {name}Quantizer" for name in ("Vector", "Uniform")),
        "paper stream entropy, angle True",
        "layers, newer True",
        "layers, chunk aNEW",
        "an empty layer: True",
        "True levels of tiles",
        "False levels of tiles",
    }
    assert wanted - found == set()
