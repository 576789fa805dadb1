"""Hold a decoder to the conformance suite of the .gimg format.

Usage: python conformance/run.py --decoder 'COMMAND {input} {output}'
       python conformance/run.py --decoder 'COMMAND {what} {input} {output}'
       python conformance/run.py --server 'COMMAND'

conformance/README.md says what a decoder must write, and how it tells of errors. This program needs
only Python's standard library. It exits with 1 if the decoder fails a case.
"""

import argparse
import contextlib
import fnmatch
import hashlib
import json
import re
import shlex
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

HERE = Path(__file__).resolve().parent
FEATURES = ("tiles", "paper", "grain", "metadata")
# Features in chunks that a decoder may skip.
ANCILLARY = {"grain", "metadata"}
KINDS = ("format", "truncated", "unsupported", "limit", "tile")
# The kinds of error that a decoder may report for a case; "ok" if it may decode the file as well.
ALLOWED = {
    "format": {"format", "truncated"},
    "truncated": {"truncated"},
    "unsupported": {"unsupported"},
    "limit": {"limit", "format", "ok"},
    "tile": {"tile", "format", "truncated", "unsupported"},
}
TIMEOUT = 120
# How many pixels may be off besides those that are near a cut-off.
STRAY = 0
# A level more or less in a pixel changes how strong the noise of its block is.
SHARE_OF_NOISE = 0.125


class Answer(NamedTuple):
    """What a decoder made of a file: `ok`, `skip`, `error` or `crash`."""

    status: str
    kind: str = ""
    message: str = ""
    data: bytes = b""


class AnyDecoder(Protocol):
    """What a decoder has to do."""

    def ask(self, what: str, path: Path) -> Answer:
        """Return what is asked of a file."""


class Command:
    """A decoder that is started for each file."""

    def __init__(self, template: str) -> None:
        self.words = shlex.split(template)
        self.whole = any("{what}" in word for word in self.words)

    def ask(self, what: str, path: Path) -> Answer:
        """Return what is asked of a file."""
        if not self.whole and what != "pixels":
            return Answer("skip")
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "output"
            values = {"what": what, "input": str(path), "output": str(target)}
            command = [re.sub(r"\{(\w+)\}", lambda m: values[m[1]], word) for word in self.words]
            try:
                done = subprocess.run(
                    command, capture_output=True, text=True, timeout=TIMEOUT, check=False
                )
            except subprocess.TimeoutExpired:
                return Answer("crash", message=f"no end after {TIMEOUT} s")
            lines = done.stderr.strip().splitlines()
            last = lines[-1] if lines else ""
            if done.returncode == 77:
                return Answer("skip")
            if done.returncode < 0 or done.returncode >= 124:
                return Answer("crash", message=f"exit code {done.returncode} {last}".rstrip())
            if done.returncode:
                return refusal(last)
            return Answer("ok", data=target.read_bytes() if target.exists() else b"")


class Server:
    """A decoder that is started once and takes requests as lines."""

    def __init__(self, command: Sequence[str]) -> None:
        self.command = list(command)
        self.folder = tempfile.TemporaryDirectory()
        self.process: subprocess.Popen[str] | None = None

    def ask(self, what: str, path: Path) -> Answer:
        """Return what is asked of a file."""
        target = Path(self.folder.name) / "output"
        target.unlink(missing_ok=True)
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(f"{what}\t{path}\t{target}\n")
            process.stdin.flush()
            line = process.stdout.readline().strip()
        except BrokenPipeError:
            line = ""
        if line == "ok":
            return Answer("ok", data=target.read_bytes())
        if line == "skip":
            return Answer("skip")
        if line.startswith("error"):
            return refusal(line.removeprefix("error").strip())
        return Answer("crash", message=f"exit code {process.wait()} {line}".rstrip())

    def _running(self) -> "subprocess.Popen[str]":
        """Return the process, started again if it has ended."""
        if self.process is not None and self.process.poll() is not None:
            self._end()
        if self.process is None:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        return self.process

    def _end(self) -> None:
        if self.process is not None:
            with contextlib.suppress(BrokenPipeError):
                self.process.communicate()
        self.process = None

    def close(self) -> None:
        """End the process."""
        self._end()
        self.folder.cleanup()


def refusal(text: str) -> Answer:
    """Return the error that a line tells of; its first word may be its kind."""
    word, _, rest = text.partition(" ")
    word = word.rstrip(":").lower()
    return Answer("error", word, rest) if word in KINDS else Answer("error", "", text)


@dataclass
class Report:
    """What came of a run."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def passed(self, what: str) -> None:
        """Count what was asked and came out right."""
        self.counts[what] += 1

    def failed(self, name: str, facts: dict[str, Any], what: str, why: str) -> None:
        """Note what is wrong in a case."""
        self.failures.append(
            f"{name}: {what}: {why} (section {facts['section']}: {facts['about']})"
        )


@dataclass
class Suite:
    """The cases, and what is asked of a decoder.

    Attributes
    ----------
    without : collection of str
        Features that the decoder says it lacks.
    exact : bool
        Pixels must be those of the reference implementation, to the bit.
    only : str
        Pattern of the names of the cases that are run.
    """

    without: Sequence[str] = ()
    exact: bool = False
    only: str = "*"
    manifest: dict[str, Any] = field(
        default_factory=lambda: json.loads((HERE / "manifest.json").read_text("utf-8"))
    )

    def run(self, decoder: AnyDecoder) -> Report:
        """Hold a decoder to all cases."""
        report = Report()
        with zipfile.ZipFile(HERE / "pixels.zip") as pictures:
            for name, facts in self._cases("valid"):
                self._valid(decoder, report, name, facts, pictures)
        for name, facts in self._cases("invalid"):
            self._invalid(decoder, report, name, facts)
        return report

    def _cases(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, facts in self.manifest[kind].items():
            if fnmatch.fnmatch(name, self.only):
                yield name, facts

    def _lacks(self, facts: dict[str, Any]) -> set[str]:
        return set(self.without) & set(facts["features"])

    def _valid(
        self,
        decoder: AnyDecoder,
        report: Report,
        name: str,
        facts: dict[str, Any],
        pictures: zipfile.ZipFile,
    ) -> None:
        path = HERE / "valid" / f"{name}.gimg"
        lacking = self._lacks(facts) - ANCILLARY
        if lacking:
            found = decoder.ask("pixels", path)
            if found.status == "error" and found.kind in ("unsupported", ""):
                report.passed("refused as unsupported")
            else:
                report.failed(name, facts, "pixels", f"expected unsupported, got {told(found)}")
            return
        for what in ("integers", "numbers", "metadata", "pixels", "grain"):
            if what in self.without or (what == "grain" and "grain" not in facts["features"]):
                continue
            if what == "numbers" and "numbers" not in facts:
                continue
            found = decoder.ask(what, path)
            if found.status == "skip":
                report.passed(f"{what} skipped")
                continue
            if found.status != "ok":
                report.failed(name, facts, what, told(found))
            elif what in ("pixels", "grain"):
                expected = pictures.read(f"{name}.{what}.pam")
                without = pictures.read(f"{name}.pixels.pam") if what == "grain" else None
                why = compare(found.data, expected, facts, without)
                if not why and self.exact and digest(found.data) != facts["reference"][what]:
                    why = "not the pixels of the reference implementation, to the bit"
                report.failed(name, facts, what, why) if why else report.passed(what)
            elif digest(found.data) != facts[what]:
                report.failed(name, facts, what, "another digest")
            else:
                report.passed(what)

    def _invalid(
        self, decoder: AnyDecoder, report: Report, name: str, facts: dict[str, Any]
    ) -> None:
        path = HERE / "invalid" / f"{name}.gimg"
        allowed = ALLOWED[facts["error"]] | set(facts.get("also", ()))
        lacking = self._lacks(facts)
        if lacking:
            allowed |= {"unsupported", "format"}
        grain = "grain" in facts["features"]
        if grain:
            allowed.add("skip")
        if lacking and lacking <= ANCILLARY:
            allowed.add("ok")
        found = decoder.ask("grain" if grain and not lacking else "pixels", path)
        kind = found.kind if found.status == "error" else found.status
        if found.status == "error" and not found.kind:
            report.passed("refused without a kind")
        elif kind in allowed:
            report.passed("refused" if found.status == "error" else "need not be refused")
        else:
            expected = " or ".join(sorted(allowed))
            report.failed(name, facts, "invalid", f"expected {expected}, got {told(found)}")
        if "partial" in facts and not lacking:
            found = decoder.ask("partial", path)
            if found.status == "skip":
                report.passed("partial skipped")
            elif found.status == "ok" and digest(found.data) == facts["partial"]:
                report.passed("partial")
            else:
                report.failed(name, facts, "partial", told(found))


def told(found: Answer) -> str:
    """Return an answer in words."""
    return " ".join(filter(None, (found.status, found.kind, found.message)))


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def read_pam(data: bytes) -> tuple[tuple[int, int, int], int, Sequence[int]]:
    """Return height, width and channels, the largest value, and the samples of a PAM file."""
    head, found, body = data.partition(b"ENDHDR\n")
    if not found or not head.startswith(b"P7\n"):
        raise ValueError("not a PAM file")
    fields = dict(line.split(" ", 1) for line in head.decode("ascii").splitlines()[1:])
    size = int(fields["HEIGHT"]), int(fields["WIDTH"]), int(fields["DEPTH"])
    white = int(fields["MAXVAL"])
    samples: Sequence[int] = body
    if white > 255:
        samples = [body[i] << 8 | body[i + 1] for i in range(0, len(body) - 1, 2)]
    if len(samples) != size[0] * size[1] * size[2] or white not in (255, 65535):
        raise ValueError("a PAM file of another size")
    return size, white, samples


def compare(found: bytes, expected: bytes, facts: dict[str, Any], without: bytes | None) -> str:
    """Return what is wrong with a picture; nothing if it is near enough to the expected one.

    `without` is the expected picture without grain, if this is one with grain.
    """
    if found == expected:
        return ""
    try:
        size, white, samples = read_pam(found)
    except (ValueError, KeyError) as error:
        return str(error)
    wanted_size, wanted_white, wanted = read_pam(expected)
    if size != wanted_size:
        return f"a picture of {size}, expected {wanted_size}"
    tolerance = float(facts["tolerance"])
    factor = 1.0
    if white < wanted_white:  # 8 bits of a picture of 16
        factor, tolerance = white / wanted_white, max(1.0, tolerance * white / wanted_white + 0.5)
    elif white > wanted_white:
        return f"MAXVAL {white}, expected {wanted_white}"
    without_grain: Sequence[int] = wanted
    if without is not None:
        tolerance += 1
        without_grain = read_pam(without)[2]
    channels = size[2]
    wrong, worst = 0, 0.0
    for at in range(0, len(samples), channels):
        off = distance(
            [samples[at + c] for c in range(channels)],
            [wanted[at + c] * factor for c in range(channels)],
            white,
        )
        noise = max(abs(wanted[i] - without_grain[i]) for i in range(at, at + channels))
        worst = max(worst, off)
        wrong += off > tolerance + SHARE_OF_NOISE * noise * factor
    if wrong > facts["unsure"] + STRAY:
        share = "" if without is None else " and an eighth of the noise"
        return f"{wrong} pixels are off by up to {worst:.1f} levels, {tolerance:.1f}{share} allowed"
    return ""


def distance(found: Sequence[float], wanted: Sequence[float], white: int) -> float:
    """Return how far a pixel is off, in levels; color counts as much as its alpha shows of it."""
    pairs = [*zip(found, wanted, strict=True)]
    if len(pairs) % 2:
        return max(abs(a - b) for a, b in pairs)
    alpha, other = pairs[-1]
    # A color is known as well as the product of color and alpha is.
    off = max(abs(a - b) for a, b in pairs[:-1]) * min(alpha, other) / white
    return max(off, abs(alpha - other))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], epilog="See conformance/README.md."
    )
    one = parser.add_mutually_exclusive_group(required=True)
    one.add_argument("--decoder", metavar="COMMAND", help="is started for each file")
    one.add_argument("--server", metavar="COMMAND", help="is started once, takes lines on stdin")
    parser.add_argument("--without", default="", help=f"lacking features: {','.join(FEATURES)}")
    parser.add_argument(
        "--exact", action="store_true", help="pixels as the reference's, to the bit"
    )
    parser.add_argument("--only", default="*", metavar="PATTERN", help="cases to run")
    options = parser.parse_args()
    without = [name for name in options.without.split(",") if name]
    if unknown := set(without) - set(FEATURES):
        parser.error(f"unknown feature {unknown.pop()}; there are {', '.join(FEATURES)}")
    suite = Suite(without, options.exact, options.only)
    server = None if options.decoder else Server(shlex.split(options.server))
    report = suite.run(server or Command(options.decoder))
    if server:
        server.close()
    for failure in report.failures:
        print(failure)
    for what, count in sorted(report.counts.items()):
        print(f"{count:5} {what}")
    print(f"{len(report.failures):5} failed")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
