"""The folder of the fuzz targets on the path, as `fuzz/run.py` has it."""

import sys
from pathlib import Path

FUZZ = str(Path(__file__).resolve().parents[2] / "fuzz")
if FUZZ not in sys.path:
    sys.path.insert(0, FUZZ)
