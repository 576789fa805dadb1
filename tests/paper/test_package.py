"""What of the paper's part can be imported where PyTorch is missing, and what the rest says."""

import json
import pkgutil
import subprocess
import sys

import gaussianimage.paper

WITHOUT_PYTORCH = {
    "comparison",
    "datasets",
    "figures",
    "machine",
    "published",
    "results",
    "table_text",
    "tables",
    "tables_codec",
    "tables_representation",
}
# In a fresh interpreter without PyTorch: each module's name, and what its import says.
PROGRAM = """
import importlib, json, pkgutil, sys
sys.modules["torch"] = None
import gaussianimage.paper
said = {}
for module in pkgutil.iter_modules(gaussianimage.paper.__path__):
    try:
        importlib.import_module(f"gaussianimage.paper.{module.name}")
        said[module.name] = ""
    except ModuleNotFoundError as error:
        said[module.name] = f"{error.name}: {error}"
print(json.dumps(said))
"""


def test_a_missing_pytorch_is_named_with_the_way_to_get_it():
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said.keys() == {m.name for m in pkgutil.iter_modules(gaussianimage.paper.__path__)}
    assert {name for name, message in said.items() if not message} == WITHOUT_PYTORCH
    for name in said.keys() - WITHOUT_PYTORCH:
        assert said[name].startswith("torch: "), name
        assert said[name].endswith("needs PyTorch: pip install gaussianimage[torch]"), name
