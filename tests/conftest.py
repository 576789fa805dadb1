"""Set-up of all tests: the helpers on the path, hypothesis without deadlines, and Ctrl-C."""

import signal
import sys
from importlib.util import find_spec
from pathlib import Path

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
