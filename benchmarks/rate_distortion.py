"""Rate and distortion of our codec, JPEG, JPEG 2000, WebP, AVIF and JPEG XL, and their times.

Usage: python benchmarks/rate_distortion.py --images FOLDER [--output FOLDER]

One run measures all codecs on the same pictures. With --resume it takes the results of an earlier
run with the same code and libraries from the output folder. It writes results.json, table.md, the
figure (with matplotlib), and sheets of crops at equal bytes.
"""

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

from lib import contact, paper_curve
from lib.analysis import RANGES, Measurements, analyze
from lib.eye_measures import EYE_MEASURES
from lib.harness import environment, print_environment, write_json
from lib.measure import OURS, Cache, Task, at_effort, run, versions
from lib.pictures import Sample, find_pictures
from lib.rivals import RIVALS, Rival
from lib.tables import write_report

import gaussianimage
from gaussianimage.codec.encoder.effort import DEFAULT_EFFORT
from gaussianimage.codec.encoder.targets import TUNES

HERE = Path(__file__).resolve().parent

# The mean at equal rates needs the same rates on each picture's curve. The mean per setting needs
# the qualities, and most users will choose a quality.
BPP = (0.045, 0.065, 0.1, 0.15, 0.22, 0.33, 0.5, 0.72, 1.0)
QUALITIES = (20, 38, 50, 60, 74, 88)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Rate and distortion beside other codecs.")
    parser.add_argument("--images", type=Path, nargs="+", required=True, metavar="FOLDER")
    parser.add_argument(
        "--points", type=float, nargs="*", default=BPP, metavar="BPP", help="bpp to encode for"
    )
    parser.add_argument(
        "--qualities", type=float, nargs="*", default=QUALITIES, metavar="Q", help="and qualities"
    )
    parser.add_argument(
        "--rivals", nargs="*", default=None, choices=[r.key for r in RIVALS], metavar="NAME"
    )
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="take every Nth setting of a rival (1)"
    )
    parser.add_argument(
        "--sheets", type=float, nargs="*", default=(0.1, 0.33), metavar="BPP", help="of crops"
    )
    parser.add_argument(
        "--efforts",
        type=int,
        nargs="+",
        default=[DEFAULT_EFFORT],
        metavar="E",
        help="of our codec (5); the first is compared with the rivals and with the other efforts",
    )
    parser.add_argument("--tune", choices=TUNES, default="eye", help="of our codec (eye)")
    parser.add_argument("--threads", type=int, default=2, help="for our codec (2)")
    parser.add_argument("--jobs", type=int, default=1, help="pictures at once; spoils the times")
    parser.add_argument("--resume", action="store_true", help="take the results of an earlier run")
    parser.add_argument("--output", type=Path, default=HERE / "results/rate_distortion")
    arguments = parser.parse_args()
    if len(arguments.points) + len(arguments.qualities) < 2:
        parser.error("a curve needs two --points or --qualities")
    if min(arguments.jobs, arguments.threads, arguments.every) < 1:
        parser.error("--jobs, --threads and --every are at least 1")
    return arguments


def chosen_rivals(keys: list[str] | None) -> list[Rival]:
    missing = [r for r in RIVALS if not r.available and (keys is None or r.key in keys)]
    for rival in missing:
        print(f"This Pillow has no {rival.name}: left out.", file=sys.stderr)
    return [r for r in RIVALS if r.available and (keys is None or r.key in keys)]


def tasks_for(
    pictures: list[Sample], rivals: list[Rival], arguments: argparse.Namespace
) -> list[Task]:
    """Return the tasks picture by picture, so that a slow spell of the machine hits all codecs."""
    first, *further = arguments.efforts
    ours = [(OURS, first), *((at_effort(effort), effort) for effort in further)]
    settings = [("bpp", setting) for setting in arguments.points]
    settings += [("quality", setting) for setting in arguments.qualities]
    tasks = []
    for picture in pictures:
        for name, effort in ours:
            tasks += [
                Task(picture, name, *s, arguments.threads, effort, arguments.tune) for s in settings
            ]
        for rival in rivals:
            taken = rival.settings[:: arguments.every]
            tasks += [Task(picture, rival.key, rival.dial, setting) for setting in taken]
    return tasks


def warm_up(picture: Sample, threads: int) -> None:
    """Import all modules and start the threads, so that the first picture's time excludes it."""
    corner = picture.pixels[:64, :64]
    gaussianimage.decode(gaussianimage.encode(corner, gaussians=20, threads=threads))


def draw_sheets(pictures: list[Sample], cache: Cache, arguments: argparse.Namespace) -> None:
    for wanted in arguments.sheets if arguments.points else ():
        rate = min(arguments.points, key=lambda point: abs(point - wanted))
        print(f"Drawing the sheet at {rate:g} bpp ...", file=sys.stderr)
        ours = OURS, "bpp", rate, arguments.threads, arguments.efforts[0], arguments.tune
        tasks = [Task(picture, *ours) for picture in pictures]
        files = [(task.picture, cache.file(task)) for task in tasks]
        contact.draw(files, arguments.output / f"crops-{rate:g}-bpp.png")


def main() -> None:
    arguments = parse_arguments()
    pictures = find_pictures(arguments.images)
    rivals = chosen_rivals(arguments.rivals)
    for measure in EYE_MEASURES:
        if not measure.available():
            print(f"No {measure.name}: {measure.missing}", file=sys.stderr)
    report = environment(threads=[arguments.threads])
    known = versions(arguments.efforts[1:])
    warm_up(pictures[0], arguments.threads)
    cache = Cache(arguments.output, resume=arguments.resume)
    tasks = tasks_for(pictures, rivals, arguments)
    measured = Measurements(run(tasks, cache, known, jobs=arguments.jobs))
    analysis = analyze(measured)
    text = write_report(measured, analysis, report, arguments.efforts, arguments.jobs)

    print_environment(report)
    print(f"\n{text}")
    (arguments.output / "table.md").write_text(text)
    write_json(
        arguments.output / "results.json",
        {
            "benchmark": "rate_distortion",
            "environment": report,
            "versions": {codec: known[codec] for codec in measured.codecs}
            | {m.key: m.version() for m in EYE_MEASURES if m.available()},
            "settings": {
                "points": list(arguments.points),
                "qualities": list(arguments.qualities),
                "efforts": arguments.efforts,
                "tune": arguments.tune,
                "every": arguments.every,
                "threads": arguments.threads,
                "jobs": arguments.jobs,
                "resumed": arguments.resume,
                "ranges": [list(rates) for rates in RANGES],
                "rivals": {rival.key: rival.description for rival in rivals},
            },
            "pictures": [
                {
                    "name": picture.name,
                    "height": picture.pixels.shape[0],
                    "width": picture.pixels.shape[1],
                    "digest": picture.digest,
                }
                for picture in pictures
            ],
            "paper": {
                "source": "arXiv 2403.08551, means over the 24 Kodak pictures",
                "points": [
                    {
                        "gaussians": point.gaussians,
                        "bpp": paper_curve.bits_per_pixel(point.gaussians),
                        "psnr": point.psnr,
                        "ms_ssim": point.ms_ssim,
                    }
                    for point in paper_curve.POINTS
                ],
            },
            "records": [vars(record) for record in measured.records],
            **analysis,
        },
    )
    if find_spec("matplotlib") is None:
        print("No figure: matplotlib is not installed (pip install gaussianimage[bench]).")
    else:
        from lib import plots

        plots.draw(measured, arguments.output / "curves.png")
    draw_sheets(pictures, cache, arguments)
    print(f"Written to {arguments.output}")


if __name__ == "__main__":
    main()
