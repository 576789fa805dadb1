"""The time of the import and the memory of the first decode, in processes of their own."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lib.harness import Timing, take_turns

# The imports of every program that decodes to arrays.
BARE = "import numpy"
IMPORT = "import numpy, gaussianimage"
DECODER = "import numpy, gaussianimage; gaussianimage.decode"

# The peak memory of the process. (The maximum in `resource` starts at the parent's.)
_PEAK = """
for line in open("/proc/self/status"):
    if line.startswith("VmHWM"):
        print(line.split()[1])
"""
_READ = "import sys, numpy\ndata = open(sys.argv[1], 'rb').read()\n"
_DECODE = _READ + "import gaussianimage\ngaussianimage.decode(data, threads=int(sys.argv[2]))\n"


def import_times(rounds: int) -> dict[str, Timing]:
    """Time interpreters that only import, in turns."""
    return take_turns({code: _python(code) for code in (BARE, IMPORT, DECODER)}, rounds=rounds)


def _python(code: str) -> object:
    return lambda: subprocess.run([sys.executable, "-c", code], check=True)


def peak_memory(path: Path, threads: Sequence[int]) -> dict[str, int] | None:
    """Return the peak memory of a decode beyond NumPy and the file in bytes, by number of threads.

    None if the system is not Linux, which reports it.
    """
    if not Path("/proc/self/status").exists():
        return None
    bare = _peak(_READ, path)
    return {str(count): _peak(_DECODE, path, str(count)) - bare for count in threads}


def _peak(code: str, *arguments: object) -> int:
    command = [sys.executable, "-c", code + _PEAK, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return 1024 * int(done.stdout)
