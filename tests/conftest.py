"""What every test needs: the strategies on the path, hypothesis without a clock, and Ctrl-C."""

import signal
import sys
from pathlib import Path

from hypothesis import settings

# Tests in every folder say `from strategies import ...`; importlib mode leaves the path alone.
sys.path.insert(0, str(Path(__file__).parent))

# A slow or busy machine is not a failure, so no example has a deadline.
settings.register_profile("gaussianimage", deadline=None, print_blob=True)
settings.load_profile("gaussianimage")

# A shell starts what runs in the background with Ctrl-C ignored, which every process started from
# here would inherit: those that tests interrupt would never end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
