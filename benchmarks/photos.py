"""Twelve photographs for the benchmarks, cut to about a megapixel, from packages of Debian.

Usage: python benchmarks/photos.py FOLDER

They are photographs out of three collections of wallpapers, chosen by looking at all of them, and
none was used to tune the codec. Each is brought to a longer side of 1,152 pixels, which takes out
what an earlier JPEG left in most of them. Debian and its descendants install the collections by

    apt-get install mate-backgrounds plasma-workspace-wallpapers lxqt-themes
"""

import argparse
from pathlib import Path

from PIL import Image

MATE = Path("usr/share/backgrounds/mate/nature")
PLASMA = Path("usr/share/wallpapers")
LXQT = Path("usr/share/lxqt/wallpapers")
SOURCES = {
    "boats": PLASMA / "EveningGlow/contents/images/2560x1600.jpg",
    "boards": PLASMA / "BytheWater/contents/images/2560x1600.jpg",
    "butterfly": LXQT / "butterfly.png",
    "cups": PLASMA / "ColorfulCups/contents/images/2560x1600.jpg",
    "drops": MATE / "RainDrops.jpg",
    "dune": MATE / "Dune.jpg",
    "forest": PLASMA / "Path/contents/images/2560x1600.jpg",
    "grass": MATE / "GreenMeadow.jpg",
    "ladybird": MATE / "LadyBird.jpg",
    "leaf": PLASMA / "FallenLeaf/contents/images/2560x1600.jpg",
    "meadow": LXQT / "flowers.png",
    "moss": PLASMA / "OneStandsOut/contents/images/2560x1600.jpg",
}
LONGER_SIDE = 1152


def main() -> None:
    parser = argparse.ArgumentParser(description="Twelve photographs for the benchmarks.")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument(
        "--root", type=Path, default=Path("/"), help="where the packages are unpacked (/)"
    )
    arguments = parser.parse_args()
    missing = [path for path in SOURCES.values() if not (arguments.root / path).is_file()]
    if missing:
        parser.error(
            f"no {arguments.root / missing[0]}: install mate-backgrounds, "
            "plasma-workspace-wallpapers and lxqt-themes"
        )
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name, path in SOURCES.items():
        with Image.open(arguments.root / path) as source:
            picture = source.convert("RGB")
        scale = LONGER_SIDE / max(picture.size)
        size = round(picture.width * scale), round(picture.height * scale)
        target = arguments.folder / f"{name}.png"
        picture.resize(size, Image.Resampling.LANCZOS).save(target)
        print(f"{target}: {size[0]} x {size[1]}")


if __name__ == "__main__":
    main()
