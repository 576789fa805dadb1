import errno
import io
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from gaussianimage import GaussianImageWarning
from gaussianimage._util import files

OLD = b"what was there before"
NEW = b"\x00new\xff" * 1000


@pytest.fixture
def target(tmp_path):
    return tmp_path / "out.gimg"


def only_file(directory: Path) -> bytes:
    (file,) = directory.iterdir()
    return file.read_bytes()


def test_writing_makes_exactly_the_one_file(target):
    files.write_atomic(target, NEW)
    assert only_file(target.parent) == NEW


def test_writing_replaces_the_whole_content(target):
    target.write_bytes(OLD * 10_000)
    files.write_atomic(str(target), NEW)
    assert only_file(target.parent) == NEW


def test_nothing_has_the_final_name_until_the_end(target):
    with files.atomic_output(target) as file:
        file.write(NEW)
        file.flush()
        assert not target.exists()
    assert target.read_bytes() == NEW


def test_the_open_file_can_seek(target):
    with files.atomic_output(target) as file:
        file.write(b"size????rest")
        file.seek(4)
        file.write(b"1234")
    assert target.read_bytes() == b"size1234rest"


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt(), OSError("no errno")])
@pytest.mark.parametrize("existing", [False, True])
def test_a_failing_block_leaves_everything_as_it_was(target, error, existing):
    if existing:
        target.write_bytes(OLD)

    def write_half_and_fail():
        with files.atomic_output(target) as file:
            file.write(NEW)
            raise error

    with pytest.raises(type(error)) as caught:
        write_half_and_fail()
    assert caught.value is error
    assert [f.read_bytes() for f in target.parent.iterdir()] == ([OLD] if existing else [])


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failing_system_call_leaves_everything_as_it_was(target, monkeypatch, call):
    target.write_bytes(OLD)

    def fail(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError) as caught:
        files.write_atomic(target, NEW)
    assert caught.value.errno == errno.EIO
    assert caught.value.filename == str(target)
    assert only_file(target.parent) == OLD


SMALL_DISK = """
import resource, signal, sys
from gaussianimage._util import files

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
try:
    files.write_atomic(sys.argv[1], bytes(int(sys.argv[2])))
except OSError as error:
    print(error.filename)
"""


@pytest.mark.parametrize("size", [4097, 1_000_000])
def test_a_disk_that_fills_up_leaves_everything_as_it_was(target, size):
    # In a process of its own: a limit on file sizes, which fails in the middle of a write as a full
    # disk does, would also hold for the file that the tests' output goes to.
    target.write_bytes(OLD)
    command = [sys.executable, "-c", SMALL_DISK, str(target), str(size)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout == f"{target}\n"
    assert only_file(target.parent) == OLD


# Where an old file cannot be replaced ----------------------------------------------------------


@pytest.fixture(params=["EBUSY", "EXDEV", "EPERM", "no folder to write to"])
def unreplaceable(request, target, monkeypatch):
    """Make the old file writable, but its replacement fail."""
    target.write_bytes(OLD)
    target.chmod(0o640)
    open_it = Path.open
    if hasattr(errno, request.param):
        number = getattr(errno, request.param)

        def fail(*_):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "replace", fail)
    else:

        def refuse(self, mode="r", *rest, **options):
            if "x" in mode:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))
            return open_it(self, mode, *rest, **options)

        monkeypatch.setattr(Path, "open", refuse)
    return target


@pytest.mark.parametrize("new", [NEW, b"", b"short"])
def test_a_file_that_cannot_be_replaced_is_written_over_and_that_is_said(unreplaceable, new):
    before = unreplaceable.stat().st_ino
    with pytest.warns(GaussianImageWarning, match=r"out\.gimg: .*in place"):
        files.write_atomic(unreplaceable, new)
    assert only_file(unreplaceable.parent) == new
    assert unreplaceable.stat().st_ino == before
    assert stat.S_IMODE(unreplaceable.stat().st_mode) == 0o640


def test_a_failing_block_leaves_a_file_that_cannot_be_replaced_alone(unreplaceable):
    def write_half_and_stop():
        with files.atomic_output(unreplaceable) as file:
            file.write(NEW)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half_and_stop()
    assert only_file(unreplaceable.parent) == OLD


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_the_old_content_comes_back_if_writing_in_place_fails(unreplaceable, monkeypatch, error):
    copy = shutil.copyfileobj
    calls = []

    def fail_once(source, to):
        calls.append(1)
        if len(calls) == 2:  # the first is the copy of the old content
            to.write(source.read(100))
            raise error
        copy(source, to)

    monkeypatch.setattr(shutil, "copyfileobj", fail_once)
    with pytest.raises(type(error)):
        files.write_atomic(unreplaceable, NEW)
    assert len(calls) == 3
    assert only_file(unreplaceable.parent) == OLD


def test_old_content_that_cannot_be_put_back_is_kept_and_named(
    unreplaceable, monkeypatch, tmp_path_factory
):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    overwrite = files._overwrite

    def fail(file, content):
        overwrite(file, io.BytesIO(b"half"))
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(files, "_overwrite", fail)
    with pytest.raises(OSError) as caught:
        files.write_atomic(unreplaceable, NEW)
    (kept,) = elsewhere.iterdir()
    assert kept.read_bytes() == OLD
    assert caught.value.errno == errno.EIO
    assert caught.value.__notes__ == [f"the old content is in {kept}"]


def test_a_new_file_where_none_can_be_made_is_an_error(target, monkeypatch):
    def refuse(self, *_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PermissionError) as caught:
        files.write_atomic(target, NEW)
    assert caught.value.filename == str(target)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_device_is_an_error_that_names_it():
    with pytest.raises(OSError) as caught:
        files.write_atomic("/dev/full", NEW)
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == "/dev/full"
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


def test_a_device_is_written_to_and_not_replaced():
    files.write_atomic("/dev/null", NEW)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    files.write_atomic(pipe, NEW)
    reader.join()
    assert received == [NEW]
    assert pipe.is_fifo()


def test_a_missing_directory_is_named_by_the_output_path(tmp_path):
    target = tmp_path / "missing" / "out.gimg"
    with pytest.raises(FileNotFoundError) as caught:
        files.write_atomic(target, NEW)
    assert caught.value.filename == str(target)


def test_a_directory_cannot_be_written(tmp_path):
    ran = False
    with pytest.raises(IsADirectoryError), files.atomic_output(tmp_path):
        ran = True
    assert not ran


def test_a_read_only_file_is_not_replaced(target, monkeypatch):
    target.write_bytes(OLD)
    target.chmod(0o444)
    if os.geteuid() == 0:  # root may write to every file
        monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError) as caught:
        files.write_atomic(target, NEW)
    assert caught.value.filename == str(target)
    assert only_file(target.parent) == OLD


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_a_new_file_gets_the_permissions_of_the_umask(target, umask, mode):
    before = os.umask(umask)
    try:
        files.write_atomic(target, NEW)
    finally:
        os.umask(before)
    assert stat.S_IMODE(target.stat().st_mode) == mode


def test_an_old_file_keeps_its_permissions(target):
    target.write_bytes(OLD)
    target.chmod(0o640)
    files.write_atomic(target, NEW)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_symbolic_link_stays_and_its_file_changes(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    real = tmp_path / "elsewhere" / "real.gimg"
    real.write_bytes(OLD)
    link = tmp_path / "link.gimg"
    link.symlink_to(real)
    files.write_atomic(link, NEW)
    assert link.is_symlink()
    assert only_file(real.parent) == NEW


def test_an_error_about_another_file_keeps_its_name(target):
    with pytest.raises(FileNotFoundError) as caught, files.atomic_output(target):
        Path("/no/such/input").read_bytes()
    assert caught.value.filename == "/no/such/input"


class Standard:
    """A stand-in for sys.stdin or sys.stdout."""

    def __init__(self, data: bytes = b"") -> None:
        self.buffer = io.BytesIO(data)


def test_a_dash_reads_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", Standard(NEW))
    assert files.read_input("-") == NEW


def test_a_dash_writes_standard_output(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdout", Standard())
    files.write_output(Path("-"), NEW)
    assert sys.stdout.buffer.getvalue() == NEW
    assert list(tmp_path.iterdir()) == []


def test_a_file_named_dash_can_be_had(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    files.write_output("./-", NEW)
    assert files.read_input("./-") == NEW


def test_what_was_written_is_read_back(target):
    files.write_output(target, NEW)
    assert files.read_input(target) == NEW


def test_reading_a_missing_file_is_an_os_error(target):
    with pytest.raises(FileNotFoundError):
        files.read_input(target)


LEAVING = """
import os, sys, threading
from pathlib import Path
from gaussianimage._util import files

begun, go_on = threading.Event(), threading.Event()

def write():
    with files.atomic_output(sys.argv[1]) as file:
        file.write(b"half")
        begun.set()
        go_on.wait()

thread = threading.Thread(target=write)
thread.start()
begun.wait()
files.discard_unfinished()
print(sorted(path.name for path in Path(sys.argv[1]).parent.iterdir()), flush=True)
go_on.set()
thread.join()
try:
    files.write_atomic(sys.argv[1], b"late")
except OSError:
    print("refused", flush=True)
print(Path(sys.argv[1]).read_bytes())
os._exit(0)
"""


def test_what_is_written_by_halves_can_be_discarded_from_another_thread(target):
    target.write_bytes(OLD)
    command = [sys.executable, "-c", LEAVING, str(target)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert run.stdout.splitlines()[:2] == ["['out.gimg']", "refused"]
    assert only_file(target.parent) == OLD
