"""Names of outputs."""

import pytest

from gaussianimage.cli.outputs import refuse_pictures, require_picture


@pytest.mark.parametrize("name", ["-", "a.gimg", "a.safetensors", "a", "a.state", "/dev/null"])
def test_gaussians_go_into_any_file_that_is_not_called_a_picture(name: str) -> None:
    assert refuse_pictures(name) is None


@pytest.mark.parametrize("name", ["a.png", "a.JPG", "a.webp", "a.b.tiff"])
def test_gaussians_never_go_into_what_is_called_a_picture(name: str) -> None:
    assert "-o" in (refuse_pictures(name) or "")


@pytest.mark.parametrize("name", ["-", "a.png", "a.JPG", "a.webp"])
def test_pictures_go_where_their_format_is_known(name: str) -> None:
    assert require_picture(name) is None


@pytest.mark.parametrize("name", ["a", "a.gimg", "a.xyz", "png"])
def test_pictures_go_nowhere_else(name: str) -> None:
    assert ".png" in (require_picture(name) or "")
