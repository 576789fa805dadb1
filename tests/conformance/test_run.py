"""The conformance suite: the decoders of this project pass it, and a bad decoder does not."""

import hashlib
import json
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gaussianimage import _native

ROOT = Path(__file__).resolve().parents[2]
SUITE = ROOT / "conformance"
DECODERS = SUITE / "decoders"
sys.path[:0] = [str(SUITE), str(DECODERS)]

import native_decoder  # noqa: E402
import plain_decoder  # noqa: E402
import run  # noqa: E402
from serving import RefusedError, SkippedError, pam  # noqa: E402

MANIFEST = json.loads((SUITE / "manifest.json").read_text())
Answer = Callable[[str, Path], bytes]


class InProcess:
    """A decoder of the runner that is a function here."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def ask(self, what: str, path: Path) -> run.Answer:
        try:
            return run.Answer("ok", data=self.answer(what, path))
        except SkippedError:
            return run.Answer("skip")
        except RefusedError as error:
            return run.Answer("error", error.kind, str(error))


def failures(answer: Answer, **options: object) -> list[str]:
    return run.Suite(**options).run(InProcess(answer)).failures


# The suite ----------------------------------------------------------------------------------------


def test_there_are_enough_files_of_every_section_and_every_kind_of_error() -> None:
    valid, invalid = MANIFEST["valid"], MANIFEST["invalid"]
    assert len(valid) >= 100
    assert len(invalid) >= 100
    text = (ROOT / "docs/format.md").read_text()
    sections = set(re.findall(r"^#{2,3} (\d[\d.]*?)\.? ", text, re.MULTILINE))
    for kind in (valid, invalid):
        named = Counter(facts["section"] for facts in kind.values())
        assert set(named) <= sections
        assert {"1", "2", "3", "4.3", "4.9", "4.10", "7.3"} <= set(named) | {"4.3"}
        assert any(section.startswith("8") for section in named)
    assert {facts["error"] for facts in invalid.values()} == set(run.KINDS)


def test_files_are_those_of_the_manifest_and_small() -> None:
    size = 0
    for kind in ("valid", "invalid"):
        paths = list((SUITE / kind).glob("*"))
        assert sorted(path.stem for path in paths) == sorted(MANIFEST[kind])
        for path in paths:
            data = path.read_bytes()
            size += len(data)
            assert hashlib.sha256(data).hexdigest() == MANIFEST[kind][path.stem]["file"]
    assert size < 300_000


def test_few_pixels_are_unsure() -> None:
    facts = MANIFEST["valid"].values()
    assert sum(f["unsure"] for f in facts) < sum(f["height"] * f["width"] for f in facts) / 200
    assert {f["tolerance"] for f in facts} <= {1, 2, 16}


def test_the_guide_tells_how_many_files_there_are() -> None:
    text = (ROOT / "docs/conformance.md").read_text()
    for kind in ("valid", "invalid"):
        assert f"`conformance/{kind}/` | {len(MANIFEST[kind])} files" in text


# The decoders -------------------------------------------------------------------------------------


@pytest.fixture(params=("baseline", "avx2", "avx512"))
def _isa(request: pytest.FixtureRequest) -> Iterator[None]:
    if not _native.select_instruction_set(request.param):
        pytest.skip(f"this CPU has no {request.param}")
    yield
    _native.select_instruction_set("")


@pytest.mark.usefixtures("_isa")
def test_the_native_decoder_passes_with_the_same_pixels_on_every_instruction_set() -> None:
    report = run.Suite(exact=True).run(InProcess(native_decoder.answer))
    assert report.failures == []
    assert report.counts["pixels"] == len(MANIFEST["valid"])
    assert report.counts["refused"] == len(MANIFEST["invalid"])


@pytest.mark.slow
def test_the_plain_decoder_passes() -> None:
    report = run.Suite().run(InProcess(plain_decoder.answer))
    assert report.failures == []
    assert report.counts["pixels"] == report.counts["integers"] == len(MANIFEST["valid"])


def test_the_decoder_in_javascript_passes() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not installed")
    server = run.Server([node, str(DECODERS / "javascript_decoder.mjs")])
    report = run.Suite(without=("paper",)).run(server)
    server.close()
    assert report.failures == []
    # It does not tell the integers of tiles.
    assert report.counts["pixels"] > report.counts["integers"] > 200


# Bad decoders -------------------------------------------------------------------------------------


def off_by_two(what: str, path: Path) -> bytes:
    data = native_decoder.answer(what, path)
    if what != "pixels":
        return data
    return data[:-1] + bytes([data[-1] ^ 2])


def test_pixels_that_are_off_fail() -> None:
    found = failures(off_by_two, only="header-channels-[14]-8")
    assert len(found) == 2
    assert "1 pixels are off by up to 2.0 levels, 1.0 allowed (section 2: " in found[0]


def test_other_numbers_and_another_size_fail() -> None:
    def other(what: str, path: Path) -> bytes:
        data = native_decoder.answer(what, path)
        return pam(1, 1, 3, 255, b"\0\0\0") if what == "pixels" else data + b"\0"

    found = failures(other, only="layers-one-3")
    assert [line.split(" (section")[0].split(": ")[1:] for line in found] == [
        ["numbers", "another digest"],
        ["metadata", "another digest"],
        ["pixels", "a picture of (1, 1, 3), expected (12, 16, 3)"],
    ]


def test_a_decoder_that_takes_everything_fails_every_invalid_file() -> None:
    def lenient(what: str, path: Path) -> bytes:
        if path.parent.name == "invalid" and what != "partial":
            return b"P7\n"
        return native_decoder.answer(what, path)

    must = [
        facts
        for facts in MANIFEST["invalid"].values()
        if facts["error"] != "limit" and "ok" not in facts.get("also", ())
    ]
    assert len(must) > 280
    assert len(failures(lenient)) == len(must)


def test_another_kind_of_error_fails_and_none_is_counted() -> None:
    def refusing(kind: str) -> Answer:
        def refuse(what: str, path: Path) -> bytes:
            raise RefusedError(kind, "no")

        return refuse

    assert (
        "expected truncated, got error limit"
        in failures(refusing("limit"), only="container-cut-in-end")[0]
    )
    report = run.Suite(only="container-no-head").run(InProcess(refusing("")))
    assert report.failures == []
    assert report.counts == {"refused without a kind": 1}


def test_a_feature_that_a_decoder_lacks_must_be_refused_as_unsupported() -> None:
    found = failures(native_decoder.answer, without=("paper",), only="paper-gray")
    assert "expected unsupported, got ok" in found[0]


# The protocols ------------------------------------------------------------------------------------

SCRIPT = """
import os, sys
what, source, target = sys.argv[1:]
if what not in ("pixels", "numbers"):
    sys.exit(77)
if "invalid" in source:
    sys.exit("loading\\nformat: this is bad")
if what == "numbers":
    os.kill(os.getpid(), 11)
open(target, "wb").write(b"nothing")
"""


def test_a_command_is_started_for_each_file(tmp_path: Path) -> None:
    script = tmp_path / "decoder.py"
    script.write_text(SCRIPT)
    command = run.Command(f"{sys.executable} {script} {{what}} {{input}} {{output}}")
    report = run.Suite(only="layers-one-1").run(command)
    assert [line.split(" (section")[0].split(": ")[1:] for line in report.failures] == [
        ["numbers", "crash exit code -11"],
        ["pixels", "not a PAM file"],
    ]
    assert report.counts["integers skipped"] == 1
    report = run.Suite(only="layers-swapped").run(command)
    assert report.failures == []
    assert report.counts == {"refused": 1}


def test_a_server_that_dies_is_started_again() -> None:
    code = "import sys; sys.stdin.readline(); print('error format no', flush=True)"
    server = run.Server([sys.executable, "-c", code])
    path = SUITE / "invalid/layers-swapped.gimg"
    answers = []
    while len(answers) < 2:
        answers.append(server.ask("pixels", path).status)
        assert server.process is not None
        server.process.wait()
    server.close()
    assert answers == ["error", "error"]
