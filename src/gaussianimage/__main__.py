"""`python -m gaussianimage`: the same as the command `gaussianimage`."""

from gaussianimage.cli import main

if __name__ == "__main__":
    main()
