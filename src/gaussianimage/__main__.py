"""The program `gaussianimage`, which `python -m gaussianimage` runs too."""

from gaussianimage._util import leaving


def main() -> None:
    """Run the program. At Ctrl-C it exits without a traceback, even while modules are imported."""
    leaving.leave_on_interrupt()
    from gaussianimage.cli import main as run

    run()


if __name__ == "__main__":
    main()
