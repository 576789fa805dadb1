"""What it takes to begin: seconds to import, and memory to decode, in processes of their own."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lib.harness import Timing, take_turns

# What a program that decodes with NumPy has anyway.
BARE = "import numpy"
IMPORT = "import numpy, gaussianimage"
DECODER = "import numpy, gaussianimage; gaussianimage.decode"

# The most memory that the process has had. (The maximum in `resource` begins with the parent's.)
_PEAK = """
for line in open("/proc/self/status"):
    if line.startswith("VmHWM"):
        print(line.split()[1])
"""
_READ = "import sys, numpy\ndata = open(sys.argv[1], 'rb').read()\n"
_DECODE = _READ + "import gaussianimage\ngaussianimage.decode(data, threads=int(sys.argv[2]))\n"


def import_times(rounds: int) -> dict[str, Timing]:
    """Time interpreters that import and end, in turns."""
    return take_turns({code: _python(code) for code in (BARE, IMPORT, DECODER)}, rounds=rounds)


def _python(code: str) -> object:
    return lambda: subprocess.run([sys.executable, "-c", code], check=True)


def peak_memory(path: Path, threads: Sequence[int]) -> dict[str, int] | None:
    """Return bytes that decoding a file takes beyond NumPy and the file, by number of threads.

    None where the system doesn't tell, which Linux does.
    """
    if not Path("/proc/self/status").exists():
        return None
    bare = _peak(_READ, path)
    return {str(count): _peak(_DECODE, path, str(count)) - bare for count in threads}


def _peak(code: str, *arguments: object) -> int:
    command = [sys.executable, "-c", code + _PEAK, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return 1024 * int(done.stdout)
