from dataclasses import replace

from lib.decoders import OURS, compare, rival_files
from lib.rival_decoders import RIVAL_DECODERS, by_pillow
from lib.rivals import decode

from gaussianimage.metrics import psnr

JPEG = RIVAL_DECODERS[0]


def test_decoders_of_one_codec_get_the_same_file_and_none_is_below_the_target(pixels):
    progressive = next(rival for rival in RIVAL_DECODERS if rival.name == "progressive JPEG")
    files = rival_files([JPEG, replace(JPEG, name="another"), progressive], pixels, 25.0)
    assert list(files) == ["baseline JPEG", "another", "progressive JPEG"]
    assert files["baseline JPEG"] == files["another"] != files["progressive JPEG"]
    assert all(25 <= psnr(pixels, decode(file)) < 26 for file in files.values())


def test_only_decoders_that_use_threads_are_timed_on_several(pixels):
    seen = []

    def watched(data, threads):
        seen.append(threads)
        return by_pillow(data)

    threaded = replace(JPEG, name="threaded", decode=watched, uses_threads=True)
    # At 0.5 bits per pixel ours has a PSNR that no JPEG file with halved chroma reaches.
    result = compare(pixels, {"bpp": 0.3}, 1, [JPEG, threaded], [1, 2], 1)
    rivals = {name for name in result["seconds"] if OURS not in name and "alone" not in name}
    assert rivals == {"baseline JPEG, 1 thread", "threaded, 1 thread", "threaded, 2 threads"}
    assert set(seen) == {1, 2}
    assert set(result["frames_per_second"]) == {
        f"{name}, {many} at a time"
        for name in (OURS, "baseline JPEG", "threaded")
        for many in (1, 2)
    }
    ours, jpeg = result["files"][OURS], result["files"]["baseline JPEG"]
    assert ours["bpp"] <= 0.3
    assert jpeg["psnr"] >= ours["psnr"]
