"""The command `encode`."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alpha_samples import ball
from PIL import Image

import gaussianimage
from gaussianimage import info
from gaussianimage.picture import icc, write


def test_a_picture_becomes_the_file_that_the_library_makes(
    run: Any, parrot: Path, tmp_path: Path
) -> None:
    output = tmp_path / "x.gimg"
    result = run("encode", parrot, output, "-n", 40, "--seed", 7)
    assert output.read_bytes() == gaussianimage.encode(parrot, gaussians=40, seed=7)
    assert result.stdout == ""
    found = info(output.read_bytes())
    assert result.stderr.startswith(
        f"96 x 64, {found.gaussians} Gaussians, {found.bytes} B ({found.bpp:.3f} bpp), "
    )


@pytest.mark.parametrize(
    "option",
    [["-q", 20], ["--bpp", 0.3], ["--size", 400], ["--psnr", 22], ["--ssim", 0.8], ["-e", 1], []],
)
def test_every_kind_of_target_is_passed_on(
    run: Any, parrot: Path, tmp_path: Path, option: list[Any]
) -> None:
    output = tmp_path / "x.gimg"
    run("encode", parrot, "-o", output, *option)
    target = {
        "-q": "quality",
        "--bpp": "bpp",
        "--size": "size",
        "--psnr": "psnr",
        "--ssim": "ssim",
        "-e": "effort",
    }
    expected = {target[option[0]]: option[1]} if option else {}
    assert output.read_bytes() == gaussianimage.encode(parrot, **expected)


def test_no_progressive_is_a_single_layer(run: Any, parrot: Path, tmp_path: Path) -> None:
    picture, output = tmp_path / "a.png", tmp_path / "a.gimg"
    pixels = np.tile(np.asarray(Image.open(parrot).convert("RGB")), (3, 2, 1))
    Image.fromarray(pixels).save(picture)
    run("encode", picture, output, "-q", 88, "-e", 1, "--no-progressive")
    assert gaussianimage.info(output).layers == 1
    expected = gaussianimage.encode(pixels, quality=88, effort=1, progressive=False)
    assert output.read_bytes() == expected


@pytest.mark.parametrize("tune", ["eye", "psnr"])
def test_what_counts_as_quality_is_passed_on(
    run: Any, parrot: Path, tmp_path: Path, tune: str
) -> None:
    output = tmp_path / "x.gimg"
    run("encode", parrot, output, "-q", 40, "-e", 1, "--tune", tune)
    expected = gaussianimage.encode(parrot, quality=40, effort=1, tune=tune)  # type: ignore[arg-type]
    assert output.read_bytes() == expected


def test_a_page_is_told_to_be_none_of_a_photo(run: Any, parrot: Path, tmp_path: Path) -> None:
    page = np.full((96, 128, 3), 255, np.uint8)
    page[20:24, 16:110] = page[40:44, 16:90] = 0
    Image.fromarray(page).save(tmp_path / "page.png")
    output = tmp_path / "x.gimg"
    result = run("encode", tmp_path / "page.png", output, "-q", 20, "-e", 1)
    assert "page.png: looks like a page, a drawing or a code; PNG or lossless" in result.stderr
    assert "looks like" not in run("encode", parrot, output, "-q", 20, "-e", 1).stderr


@pytest.mark.parametrize(
    ("option", "line"),
    [
        (["--psnr", 99], r"the nearest PSNR that was found is \d\d\.\d\d dB, not 99"),
        (["--ssim", 0.001], r"the nearest SSIM that was found is 0\.\d{4}, not 0\.001"),
    ],
)
def test_a_target_out_of_reach_is_told(
    run: Any, parrot: Path, tmp_path: Path, option: list[Any], line: str
) -> None:
    stderr = run("encode", parrot, tmp_path / "x.gimg", "-e", 1, *option).stderr
    assert re.search(f"gaussianimage: {parrot}: {line}", stderr)


@pytest.mark.parametrize("option", [["--size", 20], ["--bpp", 0.001]])
def test_a_file_that_cannot_be_so_small_is_told(
    run: Any, parrot: Path, tmp_path: Path, option: list[Any]
) -> None:
    stderr = run("encode", parrot, tmp_path / "x.gimg", "-e", 1, *option).stderr
    assert f"gaussianimage: {parrot}: larger than asked for" in stderr
    assert "larger" not in run("encode", parrot, tmp_path / "x.gimg", "-e", 1, "--size", 400).stderr


@pytest.fixture
def tagged(parrot: Path, tmp_path: Path) -> Path:
    """Return a photo with a profile and with EXIF data that have a location."""
    exif = Image.Exif()
    exif[0x010F] = "maker"
    exif.get_ifd(0x8825)[1] = "N"
    path = tmp_path / "tagged.png"
    with Image.open(parrot) as image:
        profile = icc.rgb_profile(icc.SRGB_PRIMARIES, icc.gamma_curve(1.8), "Gamma 1.8")
        image.save(path, icc_profile=profile, exif=exif.tobytes())
    return path


@pytest.mark.parametrize(
    ("options", "metadata"),
    [
        ([], "all"),
        (["--strip"], "none"),
        (["--strip-gps"], ("icc", "exif", "xmp")),
        (["--keep-icc"], ("icc",)),
        (["--strip", "--keep-exif", "--keep-gps"], ("exif", "gps")),
    ],
)
def test_metadata_is_kept_as_asked_for(
    run: Any, tagged: Path, tmp_path: Path, options: list[str], metadata: Any
) -> None:
    output = tmp_path / "x.gimg"
    run("encode", tagged, output, "-n", 9, "-e", 1, *options)
    expected = gaussianimage.encode(tagged, gaussians=9, effort=1, metadata=metadata)
    assert output.read_bytes() == expected
    # On its way back, the same can be left out.
    run("encode", tagged, output, "-n", 9, "-e", 1)
    run("decode", output, tmp_path / "x.png", *options)
    kept = gaussianimage.as_picture(tagged).keeping(metadata)
    back = gaussianimage.as_picture(tmp_path / "x.png")
    assert (back.icc, back.exif) == (kept.icc, kept.exif)


@pytest.mark.parametrize("option", [["--size", "300"], ["--bpp", 0.4]])
def test_a_size_that_metadata_leaves_nothing_of_fails_and_names_the_way_out(
    run: Any, fails: Any, tagged: Path, tmp_path: Path, option: list[Any]
) -> None:
    output = tmp_path / "x.gimg"
    line = fails("encode", tagged, output, "-e", 1, *option)
    assert re.search(r"ICC profile, EXIF and XMP take \d+ bytes.*\(--strip\)", line)
    assert not output.exists()
    run("encode", tagged, output, "-e", 1, *option, "--strip")
    assert 100 < output.stat().st_size <= 307
    assert info(output.read_bytes()).exif is None


def test_a_size_that_is_mostly_metadata_is_told(run: Any, tagged: Path, tmp_path: Path) -> None:
    stderr = run("encode", tagged, tmp_path / "x.gimg", "-e", 1, "--size", "0.6k").stderr
    assert re.search(r"\d+ B are ICC profile, EXIF and XMP \(--strip leaves them", stderr)
    stderr = run("encode", tagged, tmp_path / "x.gimg", "-e", 1, "--size", "2k").stderr
    assert "--strip" not in stderr


def test_folders_are_encoded_and_decoded_with_all_that_is_in_them(
    run: Any, fails: Any, parrot: Path, plane: Path, tmp_path: Path
) -> None:
    (tmp_path / "in" / "more").mkdir(parents=True)
    (tmp_path / "in" / "parrot.png").write_bytes(parrot.read_bytes())
    (tmp_path / "in" / "more" / "a.png").write_bytes(parrot.read_bytes())
    with Image.open(plane) as image:
        image.save(tmp_path / "in" / "more" / "a.jpg")
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    stderr = run("encode", "-r", tmp_path / "in", "-o", tmp_path / "out", "-n", 9, "-e", 1).stderr
    files = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.gimg"))
    assert files == ["more/a.jpg.gimg", "more/a.png.gimg", "parrot.gimg"]
    assert "2 outputs keep the extensions of their inputs, which differ in nothing else" in stderr
    run("decode", "-r", tmp_path / "out", tmp_path / "back", "--format", "webp")
    files = sorted(
        str(p.relative_to(tmp_path / "back")) for p in (tmp_path / "back").rglob("*.webp")
    )
    assert files == ["more/a.jpg.webp", "more/a.png.webp", "parrot.webp"]
    assert len(run("info", "-r", "--json", tmp_path / "out").stdout.splitlines()) == 3
    assert "-r takes the files in it" in fails("info", tmp_path / "out")
    assert "no .gimg files" in run("info", "-r", tmp_path / "in", code=2).stderr


@pytest.mark.parametrize("command", ["encode", "fit"])
def test_own_files_are_called_what_they_are(
    fails: Any, gimg: Path, encoded: bytes, tmp_path: Path, command: str
) -> None:
    output = tmp_path / "x.safetensors"
    assert "a .gimg file already" in fails(command, gimg, output)
    assert "a .gimg file already" in fails(command, "-", output, stdin=encoded)
    tensors = tmp_path / "fit.safetensors"
    gaussianimage.decode_gaussians(encoded).save(tensors)
    assert "a safetensors file" in fails(command, tensors, output)


def test_names_that_begin_with_a_dash_can_be_given(
    run: Any, fails: Any, parrot: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("-photo.png").write_bytes(parrot.read_bytes())
    assert "is given as ./-photo.png, or behind --" in fails("encode", "-photo.png", "x", code=2)
    run("encode", "-n", 9, "-e", 1, "--", "-photo.png", "-x.gimg")
    run("encode", "-n", 9, "-e", 1, "./-photo.png", "y.gimg")
    assert Path("-x.gimg").read_bytes() == Path("y.gimg").read_bytes()


def test_stdin_and_stdout_carry_bytes(run: Any, parrot: Path) -> None:
    result = run("encode", "-", "-", "-n", 40, "--quiet", stdin=parrot.read_bytes())
    assert result.stdout_bytes == gaussianimage.encode(parrot, gaussians=40)
    assert result.stderr == ""


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_failure_among_many_is_told_and_the_others_are_done(
    run: Any, parrot: Path, plane: Path, tmp_path: Path, jobs: int
) -> None:
    missing = tmp_path / "missing.png"
    folder = tmp_path / "new" / "out"
    result = run("encode", parrot, missing, plane, "-o", folder, "-n", 40, "-j", jobs, code=1)
    assert sorted(p.name for p in folder.iterdir()) == ["parrot.gimg", "plane.gimg"]
    for path in (parrot, plane):
        data = (folder / f"{path.stem}.gimg").read_bytes()
        assert data == gaussianimage.encode(path, gaussians=40)
    lines = result.stderr.splitlines()
    assert len(lines) == 4
    assert f"gaussianimage: {missing}: No such file or directory" in lines
    assert lines[-1] == "gaussianimage: 1 of 3 failed"


def test_verbose_shows_progress(run: Any, parrot: Path, tmp_path: Path) -> None:
    stderr = run("encode", parrot, tmp_path / "x.gimg", "-n", 40, "-v").stderr
    assert re.search(r"parrot\.png: \d+% fit, \d+ Gaussians, [\d.]+ dB", stderr)
    for stage in ("prune", "quantize", "refine"):
        assert f"% {stage}, " in stderr
    parts = [int(part) for part in re.findall(r": (\d+)% ", stderr)]
    assert parts == sorted(parts)


def test_results_are_printed_as_json_if_asked_for(run: Any, parrot: Path, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.png")
    out = tmp_path / "out"
    result = run("encode", parrot, missing, "-o", out, "-n", 40, "-e", 1, "--json", code=1)
    good, bad = [json.loads(line) for line in result.stdout.splitlines()]
    data = (out / "parrot.gimg").read_bytes()
    assert good["input"] == str(parrot)
    assert good["output"] == str(out / "parrot.gimg")
    assert good["bytes"] == len(data)
    assert good["gaussians"] == info(data).gaussians
    assert (good["width"], good["height"], good["interrupted"]) == (96, 64, False)
    assert 15 < good["psnr"] < 40
    assert bad["input"] == missing
    assert "No such file" in bad["error"]


def test_json_and_the_file_do_not_both_go_to_stdout(fails: Any, parrot: Path) -> None:
    assert "--json goes to stdout" in fails("encode", parrot, "-", "--json", code=2)


def test_decode_and_fit_print_json_too(run: Any, parrot: Path, tmp_path: Path) -> None:
    run("encode", parrot, tmp_path / "x.gimg", "-n", 40, "-e", 1)
    told = json.loads(run("decode", tmp_path / "x.gimg", tmp_path / "x.png", "--json").stdout)
    assert (told["width"], told["height"], told["damaged"]) == (96, 64, False)
    told = json.loads(
        run("fit", parrot, tmp_path / "x.safetensors", "-n", 9, "--iterations", 5, "--json").stdout
    )
    assert (told["gaussians"], told["iterations"]) == (9, 5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"not a picture", "not a picture"),
        (b"\x89PNG\r\n\x1a\n broken", ""),
    ],
)
def test_what_is_no_picture_fails_and_leaves_nothing(
    fails: Any, tmp_path: Path, content: bytes, message: str
) -> None:
    source = tmp_path / "bad.png"
    source.write_bytes(content)
    line = fails("encode", source, tmp_path / "x.gimg")
    assert line.startswith(f"{source}: ")
    assert message in line
    assert [path.name for path in tmp_path.iterdir()] == ["bad.png"]


def test_a_truncated_picture_fails(fails: Any, parrot: Path, tmp_path: Path) -> None:
    source = tmp_path / "cut.png"
    source.write_bytes(parrot.read_bytes()[:5000])
    assert "cut.png: " in fails("encode", source, tmp_path / "x.gimg")


def test_a_folder_is_no_picture(fails: Any, tmp_path: Path) -> None:
    told = f"{tmp_path}: Is a directory (-r takes the files in it)"
    assert fails("encode", tmp_path, tmp_path / "x.gimg") == told


def test_stdin_is_named_when_it_is_no_picture(fails: Any) -> None:
    assert fails("encode", "-", "-", stdin=b"").startswith("stdin: ")


def test_an_output_in_no_folder_fails_before_the_work(
    fails: Any, parrot: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("gaussianimage.cli.encode.encode_with_result", None)
    output = tmp_path / "missing" / "x.gimg"
    assert fails("encode", parrot, output) == f"{output}: its folder does not exist"


def test_an_output_that_exists_can_be_protected(fails: Any, parrot: Path, tmp_path: Path) -> None:
    output = tmp_path / "x.gimg"
    output.write_bytes(b"precious")
    assert "exists already" in fails("encode", parrot, output, "--no-overwrite")
    assert output.read_bytes() == b"precious"


def test_an_output_that_exists_is_replaced_otherwise(
    run: Any, parrot: Path, tmp_path: Path
) -> None:
    output = tmp_path / "x.gimg"
    output.write_bytes(b"old")
    run("encode", parrot, output, "-n", 40)
    assert info(output.read_bytes()).width == 96


def test_a_forgotten_option_does_not_cost_a_picture(
    fails: Any, parrot: Path, tmp_path: Path
) -> None:
    second = tmp_path / "second.png"
    second.write_bytes(parrot.read_bytes())
    assert "name a folder with -o" in fails("encode", parrot, second, code=2)
    assert second.read_bytes() == parrot.read_bytes()


def test_the_largest_picture_can_be_set(fails: Any, parrot: Path, tmp_path: Path) -> None:
    line = fails("encode", parrot, tmp_path / "x.gimg", "--max-pixels", 6143)
    assert "96 x 64 pixels are more than the limit of 6143" in line


def test_names_that_are_no_text_are_escaped(run: Any, parrot: Path, tmp_path: Path) -> None:
    source = tmp_path / "line\nbreak.png"
    source.write_bytes(b"no picture")
    result = run("encode", source, parrot, "-o", tmp_path / "out", "-n", 40, code=1)
    assert len(result.stderr.splitlines()) == 3
    assert "line\\nbreak.png" in result.stderr


def test_ctrl_c_during_the_fit_still_writes_the_file(
    run: Any, parrot: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    module = "gaussianimage.cli.encode.encode_with_result"

    def interrupted(picture: Any, *, progress: Any, **options: Any) -> Any:
        def interrupt(news: Any) -> None:
            if news.stage == "fit" and news.iteration < news.iterations:
                raise KeyboardInterrupt

        return gaussianimage.encode_with_result(picture, progress=interrupt, **options)

    monkeypatch.setattr(module, interrupted)
    big, output = tmp_path / "big.png", tmp_path / "x.gimg"
    with Image.open(parrot) as image:  # large enough for a fit to tell of its progress
        image.resize((768, 512)).save(big)
    result = run("encode", big, output, "-n", 8000, code=130)
    assert f"{big}: interrupted; {output} holds the best so far" in result.stderr
    assert info(output.read_bytes()).gaussians < 8000


@pytest.fixture
def twelve(tmp_path: Path) -> Path:
    """Return a file of 16 bits that holds data of 12."""
    path = tmp_path / "twelve.png"
    y, x = np.mgrid[0:24, 0:32]
    write(path, ((x * 90 + y * 40) % 3600).astype(np.uint16))
    return path


def test_a_picture_that_is_dark_is_told_of_in_one_line(
    run: Any, twelve: Path, tmp_path: Path
) -> None:
    result = run("encode", twelve, tmp_path / "a.gimg", "-n", 9, "-e", 1)
    (line,) = [line for line in result.stderr.splitlines() if "warning" in line]
    assert line.startswith(f"gaussianimage: warning: {twelve}: only 0..")
    assert "--white 4095" in line


def test_quiet_leaves_the_warning_out(run: Any, twelve: Path, tmp_path: Path) -> None:
    assert run("encode", twelve, tmp_path / "a.gimg", "-n", 9, "-e", 1, "--quiet").stderr == ""


def test_a_white_is_given(run: Any, twelve: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.gimg"
    result = run("encode", twelve, target, "-n", 9, "-e", 1, "--white", 3600)
    assert "warning" not in result.stderr
    assert info(target.read_bytes()).bit_depth == 16
    assert gaussianimage.decode(target.read_bytes(), dtype=np.uint16).mean() > 0.3 * 65535


@pytest.mark.parametrize("white", ["0", "-1", "nan", "inf", "many"])
def test_a_white_is_a_finite_number_above_0(
    fails: Any, twelve: Path, tmp_path: Path, white: str
) -> None:
    assert "--white" in fails("encode", twelve, tmp_path / "a.gimg", f"--white={white}", code=2)


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (["--no-alpha"], {"alpha": False}),
        (["--background", "#ff8000"], {"background": "#ff8000"}),
        (["--alpha-quality", 0], {"alpha_quality": 0}),
        ([], {}),
    ],
)
def test_options_of_alpha_are_passed_on(
    run: Any, tmp_path: Path, words: list[Any], options: dict[str, Any]
) -> None:
    Image.fromarray(ball()).save(tmp_path / "ball.png")
    run("encode", tmp_path / "ball.png", tmp_path / "x.gimg", "-e", 1, *words)
    expected = gaussianimage.encode(ball(), effort=1, **options)
    assert (tmp_path / "x.gimg").read_bytes() == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--background", "nothing"], "unknown color 'nothing'"),
        (["--background", "#12345678"], "expected an opaque color"),
        (["--alpha-quality", "101"], "101"),
    ],
)
def test_wrong_options_of_alpha_are_told(
    run: Any, parrot: Path, words: list[str], message: str
) -> None:
    assert message in run("encode", parrot, "x.gimg", *words, code=2).stderr
