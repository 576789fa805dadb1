import json

import pytest
from lib import harness


def test_contestants_take_turns_in_alternating_order():
    calls = []
    timings = harness.take_turns(
        {name: lambda name=name: calls.append(name) for name in "abc"}, rounds=4, warmup=1
    )
    assert "".join(calls) == "cba" + "abc" + "cba" + "abc" + "cba"
    assert list(timings) == ["a", "b", "c"]
    assert timings["a"].rounds == 4


def test_a_timing_holds_the_quartiles():
    timing = harness.timing([5.0, 1.0, 2.0, 4.0, 3.0])
    assert (timing.least, timing.first_quartile, timing.median) == (1, 2, 3)
    assert timing.iqr == 2


def test_a_failing_contestant_is_not_hidden():
    def fail():
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        harness.take_turns({"fail": fail}, rounds=1)


def test_the_environment_names_what_figures_depend_on():
    report = harness.environment(threads=[1, 2], compiler="c++ 1.0")
    assert {"cpu", "cpus", "python", "numpy", "pillow", "instruction_set"} <= set(report)
    assert report["threads"] == [1, 2]
    assert report["compiler"] == "c++ 1.0"
    json.dumps(report)


def test_tables_are_aligned(capsys):
    harness.print_table(["name", "ms"], [["a long name", 1], ["b", 12.5]])
    assert capsys.readouterr().out.splitlines() == [
        "name           ms",
        "-" * 17,
        "a long name     1",
        "b            12.5",
    ]


def test_json_is_written_into_a_new_folder(tmp_path):
    harness.write_json(tmp_path / "new/results.json", {"a": [1.5]})
    assert json.loads((tmp_path / "new/results.json").read_text()) == {"a": [1.5]}


def test_json_is_replaced_as_a_whole(tmp_path):
    path, old = tmp_path / "results.json", tmp_path / "old.json"
    harness.write_json(path, {"a": 1})
    old.hardlink_to(path)
    harness.write_json(path, {"a": 2})
    # Written over in place, the old content would be gone before the new one is there.
    assert json.loads(old.read_text()) == {"a": 1}
    assert json.loads(path.read_text()) == {"a": 2}
