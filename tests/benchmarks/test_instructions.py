"""Counting instructions: what is read from callgrind's report, and a count of a small file."""

import shutil
from pathlib import Path

import pytest
from instructions import Count, build, count, parse, print_counts
from samples import sample

import gaussianimage

REPORT = """
--------------------------------------------------------------------------------
Ir
--------------------------------------------------------------------------------
1,234,567 (100.0%)  PROGRAM TOTALS

--------------------------------------------------------------------------------
Ir                file:function
--------------------------------------------------------------------------------
1,000,000 (81.00%)  kernels.cpp:gi::avx2::list(gi::Outline const*) [/tmp/decode_once]
  200,000 (16.20%)  vector.h:gi::avx2::list(gi::Outline const*) [/tmp/decode_once]
   34,567 ( 2.80%)  ???:memset'2 [/lib/libc.so.6]
"""


def test_a_report_is_summed_by_function():
    expected = [Count("gi::avx2::list(gi::Outline const*)", 1_200_000), Count("memset", 34_567)]
    assert parse(REPORT) == expected


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("valgrind") is None or shutil.which("c++") is None,
    reason="needs valgrind and a C++ compiler",
)
def test_the_instructions_of_a_decode_are_counted(tmp_path: Path, capsys):
    program = build(tmp_path)
    few, many = (count(program, "baseline", sample((number,)), tmp_path) for number in (20, 2000))
    totals = [sum(number for _, number in counts) for counts in (few, many)]
    assert 10_000 < totals[0] < totals[1] / 10
    assert any("accumulate" in name for name, _ in many)
    # Nothing that is counted depends on time or on where memory happens to lie.
    again = sum(n for _, n in count(program, "baseline", sample((2000,)), tmp_path))
    assert again == pytest.approx(totals[1], rel=0.01)
    print_counts(many, gaussianimage.info(sample((2000,))), 3)
    assert "all of it" in capsys.readouterr().out
