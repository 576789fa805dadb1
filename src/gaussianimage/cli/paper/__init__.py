"""The command `paper`: the GaussianImage paper's experiments, one command for each step."""

import click

from gaussianimage.cli.lazy import LazyGroup

__all__ = ["COMMANDS", "EXAMPLES", "command"]

# The list repeats the commands' summaries so that the help imports no command.
COMMANDS = {
    "represent": "Fit Gaussians to pictures (Tables 1, 3, 5).",
    "compress": "Quantize Gaussians and write files (Tables 2, 4).",
    "methods": "Fit Gaussians by methods after GaussianImage.",
    "tables": "Print the tables of results.",
    "import": "Convert a checkpoint of the authors' code.",
}

EXAMPLES = """
gaussianimage paper represent kodak/ -o out/ -n 70000
gaussianimage paper compress kodak/ -o out/ -n 800,1000,3000,5000,7000,9000
gaussianimage paper methods kodak/ -o out/ -n 5000 --method gaussianimage++,lig
gaussianimage paper tables out/
gaussianimage paper import gaussian_model.pth.tar kodim03.safetensors --size 768x512
"""


@click.command(
    cls=LazyGroup,
    home=__name__,
    listed=COMMANDS,
    short_help="Reproduce the GaussianImage paper (needs PyTorch).",
    epilog="\b\nExamples:\n" + "\n".join(f"  {line}" for line in EXAMPLES.strip().splitlines()),
)
@click.version_option(
    None, "-V", "--version", package_name="gaussianimage", prog_name="gaussianimage"
)
def command() -> None:
    """Reproduce GaussianImage (ECCV 2024, arXiv 2403.08551): its models, codec and tables.

    A folder keeps the results, one JSON for each picture and setting. The same command continues an
    interrupted run and skips the results that exist.

    Every command except `tables` needs PyTorch: pip install gaussianimage[torch]
    """
