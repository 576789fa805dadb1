"""Counting what the kernels of a GPU execute, without one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")
import torch_device  # noqa: F401  # before Triton, as for all tests of its kernels

pytest.importorskip("triton", reason="needs Triton")

from gaussianimage import Gaussians
from gaussianimage.torch.cuda.batch import TILE

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"

CODE = """
        /*0000*/                   MOV R1, c[0x0][0x28] ;
        /*0010*/                   IADD3 R2, R2, 0x1, RZ ;  /* 0x1 */
        /*0020*/                   ISETP.GE.AND P0, PT, R2, R3, PT ;
        /*0030*/              @!P0 BRA 0x10 ;
        /*0040*/                   EXIT ;
        /*0050*/                   BRA 0x50;
"""


def test_a_loop_is_all_from_where_a_branch_goes_back_to():
    from lib.gpu_code import loops

    assert loops(CODE) == [3]


def test_tiles_are_those_that_a_box_touches():
    from lib.gpu_code import tiles_touched

    means = np.array([[8.0, 8.0], [20.0, 4.0], [-50.0, 4.0]])
    cholesky = np.array([[1.0, 0.0, 1.0], [0.2, 0.0, 0.2], [1.0, 0.0, 1.0]])
    g = Gaussians.from_cholesky(means, cholesky, np.ones((3, 3), np.float32), 32, 32)
    assert tiles_touched(g, 8).tolist() == [4, 1, 0]
    assert tiles_touched(g, 16).tolist() == [1, 1, 0]


@pytest.mark.slow
def test_an_iteration_launches_each_kernel_once():
    from lib.gpu_launches import count_launches

    launches = count_launches()
    kernels = ("_measure", "_fill_cells", "_fill_tiles", "_draw", "_clamped_l2", "_sum_entries")
    kernels += ("_differentiate", "_adan")
    # The counters of entries are set to zero.
    assert launches == dict.fromkeys((*kernels, "zeros"), 1)


@pytest.mark.slow
def test_the_loops_over_entries_are_counted(tmp_path):
    program = "from lib.gpu_code import entry_costs; print([c[2] for c in entry_costs(90)])"
    folder = str(BENCHMARKS)
    environment = os.environ | {"TRITON_CACHE_DIR": str(tmp_path), "PYTHONPATH": folder}
    environment.pop("TRITON_INTERPRET", None)
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    drawn, compared, differentiated = json.loads(done.stdout)
    assert TILE == 8
    # The lower bounds hold the documents to what is so.
    assert 45 < drawn < 75
    assert 45 < compared < 75
    assert 130 < differentiated < 220
