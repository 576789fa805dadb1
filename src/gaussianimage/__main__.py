"""The program `gaussianimage`, also as `python -m gaussianimage`."""

from gaussianimage._util import leaving


def main() -> None:
    """Run the program, without a word from Python about Ctrl-C however early it comes."""
    leaving.leave_on_interrupt()
    from gaussianimage.cli import main as run

    run()


if __name__ == "__main__":
    main()
