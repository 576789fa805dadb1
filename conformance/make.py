"""Make the files of the conformance suite, and what they decode to.

Usage: python conformance/make.py [--check]

The files come from fixed seeds. A file that is there is never made again, because other decoders
are held to it: the script adds what is missing. `--check` tells whether the manifest agrees with
what the plain decoder of tests/plain/ makes of all files, and changes nothing.
"""

import argparse
import contextlib
import hashlib
import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(HERE / "decoders"), str(ROOT / "tests"), str(ROOT / "tests/support")]

from cases import alpha, container, grain, header, layers, metadata, paper, tiles  # noqa: E402
from cases.case import Invalid, Valid  # noqa: E402
from expected import describe, digest_numbers, partial_layers  # noqa: E402
from native_decoder import answer  # noqa: E402
from plain.varint import InvalidError  # noqa: E402

MODULES = (container, header, metadata, layers, alpha, grain, paper, tiles)
MANIFEST = HERE / "manifest.json"
PIXELS = HERE / "pixels.zip"
# Features of the format that a decoder may lack; the names of their cases begin with them.
FEATURES = ("tiles", "paper", "grain", "metadata")
STAMP = (1980, 1, 1, 0, 0, 0)


def all_cases() -> Iterator[Valid | Invalid]:
    """Yield every case; no two have one name."""
    seen = set()
    for module in MODULES:
        for kind in (module.valid, module.invalid):
            for case in kind():
                key = type(case), case.name
                assert key not in seen, case.name
                seen.add(key)
                yield case


def write(cases: Iterator[Valid | Invalid]) -> None:
    """Write the missing files, and the manifest of all."""
    manifest: dict[str, Any] = {"format": 1, "valid": {}, "invalid": {}}
    pictures: dict[str, bytes] = {}
    for case in cases:
        kind = "valid" if isinstance(case, Valid) else "invalid"
        path = HERE / kind / f"{case.name}.gimg"
        path.parent.mkdir(exist_ok=True)
        if path.exists():
            case = case._replace(data=path.read_bytes())
        else:
            path.write_bytes(case.data)
        facts: dict[str, Any] = {
            "file": hashlib.sha256(case.data).hexdigest(),
            "section": case.section,
            "about": case.about,
        }
        if isinstance(case, Invalid):
            facts["error"] = case.error
            if case.also:
                facts["also"] = [*case.also]
            first = case.name.split("-")[0]
            facts["features"] = [first] if first in FEATURES else []
            if case.name.startswith(("container-cut-", "container-flipped-")):
                with contextlib.suppress(InvalidError):
                    facts["partial"] = digest_numbers(partial_layers(case.data))
        else:
            more, images = describe(case.data)
            facts |= more
            facts["reference"] = {
                what: hashlib.sha256(answer(what, path)).hexdigest() for what in images
            }
            pictures |= {f"{case.name}.{what}.pam": data for what, data in images.items()}
        manifest[kind][case.name] = facts
    with zipfile.ZipFile(PIXELS, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in sorted(pictures.items()):
            archive.writestr(zipfile.ZipInfo(name, STAMP), data, zipfile.ZIP_DEFLATED, 9)
    MANIFEST.write_text(json.dumps(manifest, indent=1) + "\n")


def check() -> None:
    """Compare the manifest with what the plain decoder finds now."""
    manifest = json.loads(MANIFEST.read_text())
    for name, facts in manifest["valid"].items():
        data = (HERE / "valid" / f"{name}.gimg").read_bytes()
        found, images = describe(data)
        wrong = [key for key, value in found.items() if facts[key] != value]
        with zipfile.ZipFile(PIXELS) as archive:
            wrong += [w for w, image in images.items() if archive.read(f"{name}.{w}.pam") != image]
        if wrong:
            raise SystemExit(f"{name}: {', '.join(wrong)}")
    print(f"{len(manifest['valid'])} valid files are as the manifest says")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing")
    if parser.parse_args().check:
        check()
    else:
        write(all_cases())


if __name__ == "__main__":
    main()
