"""The CPUs that this process may run on: the default of every number of threads."""

import os
import subprocess
import sys

import pytest

from gaussianimage import _native

LEAST = """
import os
from gaussianimage import _native
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
print(_native.cpus())
"""


def test_there_are_cpus_but_no_more_than_the_machine_has() -> None:
    assert 1 <= _native.cpus() <= (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="can't be limited to some CPUs")
def test_those_that_a_process_may_not_use_do_not_count() -> None:
    command = [sys.executable, "-c", LEAST]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "1", done.stderr
