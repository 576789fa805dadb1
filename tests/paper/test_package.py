"""What of the paper's part can be imported where PyTorch is missing, and what the rest says."""

import json
import subprocess
import sys
from pathlib import Path

import gaussianimage.paper

WITHOUT_PYTORCH = {
    "datasets",
    "figures",
    "machine",
    "methods",
    "released_code",
    "results",
    "tables",
    "tables.codec",
    "tables.comparison",
    "tables.make",
    "tables.methods",
    "tables.others",
    "tables.published",
    "tables.representation",
    "tables.text",
}
# In a fresh interpreter without PyTorch: each module's name, and what its import says.
PROGRAM = """
import importlib, json, pkgutil, sys
sys.modules["torch"] = None
import gaussianimage.paper
said = {}
prefix = "gaussianimage.paper."
for module in pkgutil.walk_packages(gaussianimage.paper.__path__, prefix):
    name = module.name.removeprefix(prefix)
    try:
        importlib.import_module(module.name)
        said[name] = ""
    except ModuleNotFoundError as error:
        said[name] = f"{error.name}: {error}"
print(json.dumps(said))
"""


def test_a_missing_pytorch_is_named_with_the_way_to_get_it():
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    folder = Path(gaussianimage.paper.__path__[0])
    modules = {path.stem for path in folder.glob("[!_]*.py")}
    assert modules < said.keys()
    assert {name for name, message in said.items() if not message} == WITHOUT_PYTORCH
    for name in said.keys() - WITHOUT_PYTORCH:
        assert said[name].startswith("torch: "), name
        assert said[name].endswith("needs PyTorch: pip install gaussianimage[torch]"), name
