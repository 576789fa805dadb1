import pytest
from lib.measure import OURS, Cache, Task, run
from lib.pictures import find_pictures

KNOWN = {OURS: "ours 1", "jpeg": "jpeg 1"}


@pytest.fixture
def tasks(folder):
    picture = find_pictures([folder])[0]
    return [Task(picture, OURS, "bpp", 1.5, 1, 1), Task(picture, "jpeg", "quality", 50)]


def test_a_measurement_says_what_a_codec_made_of_a_picture(tmp_path, tasks):
    cache = Cache(tmp_path / "out", resume=False)
    ours, jpeg = run(tasks, cache, KNOWN, jobs=1)
    assert (ours.codec, ours.version, jpeg.codec) == (OURS, "ours 1", "jpeg")
    assert ours.bytes == len(cache.file(tasks[0]))
    for record in (ours, jpeg):
        assert record.bpp == 8 * record.bytes / (48 * 64)
        assert 15 < record.psnr < 60
        assert record.ms_ssim is None  # too small
        assert record.encode_seconds > 0
        assert record.decode_seconds > 0
    assert ours.bpp <= 1.5
    assert ours.gaussians > 0


def test_resuming_takes_what_is_known_and_measures_the_rest(tmp_path, tasks, capsys):
    first = run(tasks[:1], Cache(tmp_path / "out", resume=False), KNOWN, jobs=1)
    capsys.readouterr()
    again = run(tasks, Cache(tmp_path / "out", resume=True), KNOWN, jobs=1)
    assert again[0] == first[0]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "jpeg quality 50" in lines[0]


def test_other_code_or_a_lost_file_is_measured_again(tmp_path, tasks, capsys):
    task = tasks[:1]
    run(task, Cache(tmp_path / "out", resume=False), KNOWN, jobs=1)
    run(task, Cache(tmp_path / "out", resume=True), KNOWN | {OURS: "ours 2"}, jobs=1)
    (tmp_path / "out/files" / task[0].file_name).write_bytes(b"something else")
    run(task, Cache(tmp_path / "out", resume=True), KNOWN, jobs=1)
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_without_resuming_all_is_measured_again(tmp_path, tasks, capsys):
    for _ in range(2):
        run(tasks[1:], Cache(tmp_path / "out", resume=False), KNOWN, jobs=1)
    assert len(capsys.readouterr().err.splitlines()) == 2
    assert len((tmp_path / "out/measurements.jsonl").read_text().splitlines()) == 1
