"""Set-up of all tests: helpers on the path, hypothesis without deadlines, Ctrl-C, and one Ray."""

import os
import signal
import sys
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# Asked before the folder of tests/torch, which would be found as `torch`, is on the path.
TORCH_IS_MISSING = find_spec("torch") is None

# Tests in every folder say `from strategies import ...`; importlib mode leaves the path alone.
TESTS = Path(__file__).parent
sys.path[:0] = [str(TESTS / "support"), str(TESTS)]

# A slow or busy machine is not a failure, so no example has a deadline.
settings.register_profile("gaussianimage", deadline=None, print_blob=True)
settings.load_profile("gaussianimage")

# A shell ignores Ctrl-C in background jobs, and every process started from here would inherit that.
# Processes that tests interrupt would never end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--without-torch",
        action="store_true",
        help="skip the tests that need PyTorch, as they are where it is not installed",
    )


def pytest_configure(config: pytest.Config) -> None:
    if TORCH_IS_MISSING or config.getoption("without_torch"):
        sys.modules.update({"torch": None, "triton": None})  # an import of either fails


@pytest.fixture(scope="session")
def on_ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Start Ray with two workers, for all tests together."""
    pytest.importorskip("ray", reason="Ray is not installed")
    # An entry point makes the URLs ``unreliable://`` known in the workers too.
    home = tmp_path_factory.mktemp("path")
    facts = home / "unreliable_store-1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: unreliable-store\nVersion: 1\n")
    point = "unreliable = unreliable_store:UnreliableFileSystem"
    (facts / "entry_points.txt").write_text(f"[fsspec.specs]\n{point}\n")
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(home), str(TESTS.resolve() / "support"), before])
    )
    from gaussianimage.batching.ray_engine import RayEngine

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        engine = RayEngine(None, 2, 0)
        yield engine
        engine.close()
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before
