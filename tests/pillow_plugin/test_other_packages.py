"""What stands on Pillow opens and saves .gimg files too, in its own words."""

import io
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gaussianimage
import gaussianimage.pillow_plugin

FOLDER = Path(__file__).resolve().parent.parent / "data/v1"
PHOTO = FOLDER / "rgb.gimg"
DATA = PHOTO.read_bytes()
PIXELS = gaussianimage.decode(DATA)  # (64, 96, 3)


# -- imageio ---------------------------------------------------------------------------------------


def test_imageio_reads_a_file() -> None:
    imageio = pytest.importorskip("imageio.v3", reason="imageio is not installed")
    for source in (PHOTO, DATA, io.BytesIO(DATA)):
        np.testing.assert_array_equal(imageio.imread(source), PIXELS)
    told = imageio.improps(PHOTO)
    assert told.shape == PIXELS.shape
    assert imageio.immeta(PHOTO)["gaussians"] == gaussianimage.info(DATA).gaussians


def test_imageio_writes_a_file(tmp_path: Path) -> None:
    imageio = pytest.importorskip("imageio.v3", reason="imageio is not installed")
    imageio.imwrite(tmp_path / "a.gimg", PIXELS, quality=50, effort=1)
    expected = gaussianimage.encode(PIXELS, quality=50, effort=1)
    assert (tmp_path / "a.gimg").read_bytes() == expected
    to_bytes = {"plugin": "pillow", "extension": ".gimg"}
    assert imageio.imwrite("<bytes>", PIXELS, **to_bytes, quality=50, effort=1) == expected
    with pytest.raises(ValueError, match="one picture"):
        imageio.imwrite("<bytes>", np.stack([PIXELS, PIXELS]), **to_bytes)


def test_imageio_tells_of_a_damaged_file() -> None:
    imageio = pytest.importorskip("imageio.v3", reason="imageio is not installed")
    with pytest.raises(OSError, match="truncated"):
        imageio.imread(DATA[:-10])


# -- matplotlib ------------------------------------------------------------------------------------


def test_matplotlib_reads_shows_and_saves(tmp_path: Path) -> None:
    matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    matplotlib.use("Agg")
    from matplotlib import image
    from matplotlib import pyplot as plt

    np.testing.assert_array_equal(image.imread(PHOTO), PIXELS)
    figure, axes = plt.subplots(figsize=(0.96, 0.64), dpi=100)
    with Image.open(PHOTO) as opened:
        shown = axes.imshow(opened)
    np.testing.assert_array_equal(np.asarray(shown.get_array()), PIXELS)
    axes.set_position((0, 0, 1, 1))
    axes.axis("off")
    figure.canvas.draw()
    drawn = np.asarray(figure.canvas.buffer_rgba())[..., :3]
    assert np.abs(drawn.astype(int) - PIXELS).mean() < 3
    plt.close(figure)
    image.imsave(tmp_path / "a.gimg", PIXELS, pil_kwargs={"quality": 50, "effort": 1})
    with Image.open(tmp_path / "a.gimg") as opened:
        assert opened.size == (96, 64)


# -- PyTorch's DataLoader --------------------------------------------------------------------------

LOADER = """
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from torch.utils.data import DataLoader, Dataset

import gaussianimage.pillow_plugin


class Pictures(Dataset):
    # As the folders of torchvision: a file is opened when it is asked for.
    def __init__(self, folder):
        self.paths = sorted(Path(folder).glob("*.gimg"))
        self.opened = [Image.open(path) for path in self.paths] if METHOD == "fork" else None

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        if self.opened is not None:  # before the fork, by every worker again
            assert np.asarray(self.opened[index]).shape == (64, 96, 3)
        with Image.open(self.paths[index]) as image:
            return np.asarray(image.convert("RGB"))


METHOD = sys.argv[2]

if __name__ == "__main__":
    pictures = Pictures(sys.argv[1])
    expected = [pictures[index] for index in range(len(pictures))]  # starts threads here, too
    loader = DataLoader(pictures, 2, num_workers=2, multiprocessing_context=METHOD)
    batches = [np.asarray(batch) for _ in range(2) for batch in loader]
    assert (np.concatenate(batches) == np.stack(2 * expected)).all()
    print(len(batches))
"""


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_the_workers_of_a_dataloader_open_files(tmp_path: Path, method: str) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    if method == "fork" and sys.platform == "win32":
        pytest.skip("Windows has no fork")
    for index in range(6):
        (tmp_path / f"{index}.gimg").write_bytes(DATA)
    script = tmp_path / "loader.py"
    script.write_text(LOADER)
    command = [sys.executable, str(script), str(tmp_path), method]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["6"]


# -- Django ----------------------------------------------------------------------------------------


def test_thumbnails_as_web_frameworks_make_them() -> None:
    # They check what was uploaded, open it again, turn it upright, and save a small copy.
    with Image.open(io.BytesIO(DATA)) as uploaded:
        uploaded.verify()
        assert uploaded.get_format_mimetype() == "image/x-gaussianimage"
    with Image.open(io.BytesIO(DATA)) as image:
        assert image.getexif().get(0x0112, 1) == 1
        image.thumbnail((32, 32))
        for name in ("JPEG", "GIMG"):
            small = io.BytesIO()
            image.save(small, name, quality=85, optimize=True, progressive=True)
            with Image.open(small) as opened:
                assert opened.size == (32, 21)


@pytest.fixture
def django() -> None:
    """Set Django up, once, without a project."""
    pytest.importorskip("django", reason="Django is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import django
        from django.conf import settings

        if not settings.configured:
            settings.configure(USE_I18N=False)
            django.setup()


@pytest.mark.usefixtures("django")
def test_django_takes_an_upload_and_its_size() -> None:
    from django.core.exceptions import ValidationError
    from django.core.files.images import get_image_dimensions
    from django.core.files.uploadedfile import SimpleUploadedFile
    from django.forms import ImageField

    assert get_image_dimensions(io.BytesIO(DATA)) == (96, 64)
    field = ImageField()
    cleaned = field.clean(SimpleUploadedFile("a.gimg", DATA))
    assert cleaned.image.format == "GIMG"
    assert cleaned.content_type == "image/x-gaussianimage"
    for bad in (DATA[:-10], b"nonsense"):
        with pytest.raises(ValidationError):
            field.clean(SimpleUploadedFile("a.gimg", bad))


@pytest.mark.usefixtures("django")
def test_easy_thumbnails_makes_a_thumbnail() -> None:
    pytest.importorskip("easy_thumbnails", reason="easy-thumbnails is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from easy_thumbnails.processors import scale_and_crop
        from easy_thumbnails.source_generators import pil_image

    image = pil_image(io.BytesIO(DATA))
    assert image.size == (96, 64)
    assert scale_and_crop(image, (32, 32), crop=True).size == (32, 32)
