"""Cut the small test pictures from the Kodak Lossless True Color Image Suite (free to use).

Usage: python tests/data/make.py FOLDER_WITH_KODIM_PNGS
"""

import sys
from pathlib import Path

from PIL import Image

CROPS = {  # name: (Kodak picture, left, top); every crop is 96 wide and 64 high
    "bikes": ("kodim05.png", 340, 200),  # busy everywhere: hard
    "parrot": ("kodim23.png", 160, 180),  # saturated colors and fine stripes on a blurred ground
    "plane": ("kodim20.png", 160, 40),  # a sharp edge on a large area that is almost one value
    "stream": ("kodim13.png", 300, 330),  # close to noise
}


def main(folder: Path) -> None:
    for name, (source, left, top) in CROPS.items():
        with Image.open(folder / source) as picture:
            crop = picture.crop((left, top, left + 96, top + 64))
        # Pixels alone: no gamma or other metadata, which the tests add where they need it.
        clean = Image.frombytes(crop.mode, crop.size, crop.tobytes())
        clean.save(Path(__file__).parent / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
