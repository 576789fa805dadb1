"""What every test needs: the shared strategies on the path, and hypothesis without a clock."""

import sys
from pathlib import Path

from hypothesis import settings

# Tests in every folder say `from strategies import ...`; importlib mode leaves the path alone.
sys.path.insert(0, str(Path(__file__).parent))

# A slow or busy machine is not a failure, so no example has a deadline.
settings.register_profile("gaussianimage", deadline=None, print_blob=True)
settings.load_profile("gaussianimage")
