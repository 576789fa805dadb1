from collections.abc import Iterator
from typing import Any

import pytest

from gaussianimage.batching.plan import Plan
from gaussianimage.batching.stores import Found


def found(*names: str, size: int | None = 9) -> list[Found]:
    return [Found(f"/in/{name}", name, size) for name in names]


def targets(plan: Plan) -> list[str]:
    return [picture.target for picture in plan.pending()]


def row(name: str, **values: Any) -> dict[str, Any]:
    made = {"input": f"/in/{name}", "bytes_in": 9, "bytes_out": 5, "options": "o"}
    return made | values


def test_outputs_keep_names_and_get_the_suffix() -> None:
    plan = Plan(found("a.png", "b.d/c", "b/..x.jpg"), "/out", ".gimg")
    assert targets(plan) == ["/out/a.gimg", "/out/b.d/c.gimg", "/out/b/..x.gimg"]
    assert plan.counts().pending_bytes == 27
    assert Plan(found("a", size=None), "s3://b", ".gimg").counts().pending_bytes is None


def test_names_that_collide_keep_their_extensions() -> None:
    plan = Plan(found("a.png", "a.jpg", "b/a.png"), "/out", ".gimg")
    assert targets(plan) == ["/out/a.png.gimg", "/out/a.jpg.gimg", "/out/b/a.gimg"]
    with pytest.raises(ValueError, match=r"would both become a\.jpg\.gimg"):
        Plan(found("a.png", "a.jpg", "a.jpg.png"), "/out", ".gimg")


def test_a_repeated_input_counts_once() -> None:
    plan = Plan(found("a.png", "b.png", "a.png"), "/out", ".gimg")
    assert plan.repeated == 1
    assert len(targets(plan)) == 2


def test_an_output_never_replaces_an_input() -> None:
    with pytest.raises(ValueError, match=r"/in/a\.png: an output would replace"):
        Plan(found("a.png"), "/in", ".png")


def test_more_pictures_than_one_question_asks_for() -> None:
    names = [f"{n}.png" for n in range(2500)]
    plan = Plan(found(*names), "/out", ".gimg")
    assert len({picture.source for picture in plan.pending()}) == 2500


def remembered(rows: list[dict[str, Any]], made: dict[str, int], **options: Any) -> Plan:
    def walk() -> Iterator[Found]:
        for name, size in made.items():
            yield Found(f"/out/{name}", name, size)

    plan = Plan(found("a.png", "b.png", **options), "/out", ".gimg")
    plan.recall(rows, "o", walk)
    return plan


def test_a_picture_is_done_if_its_row_and_its_output_agree() -> None:
    plan = remembered([row("a.png")], {"a.gimg": 5})
    assert targets(plan) == ["/out/b.gimg"]
    assert plan.counts()[:3] == (2, 1, 0)


@pytest.mark.parametrize(
    ("rows", "made"),
    [
        ([row("a.png")], {}),
        ([row("a.png")], {"a.gimg": 4}),
        ([row("a.png", options="other")], {"a.gimg": 5}),
        ([row("a.png", bytes_in=8)], {"a.gimg": 5}),
        ([row("other.png")], {"a.gimg": 5}),
        ([], {"a.gimg": 5}),
    ],
)
def test_a_picture_is_not_done_otherwise(rows: list[dict[str, Any]], made: dict[str, int]) -> None:
    assert len(targets(remembered(rows, made))) == 2


def test_failures_wait_until_they_are_asked_for() -> None:
    plan = remembered([row("a.png"), row("a.png", error="no picture")], {"a.gimg": 5})
    assert plan.counts()[:3] == (2, 0, 1)
    assert targets(plan) == ["/out/b.gimg"]
    plan.retry_failed()
    assert targets(plan) == ["/out/a.gimg", "/out/b.gimg"]


def test_the_last_row_counts() -> None:
    plan = remembered([row("a.png", error="no room"), row("a.png")], {"a.gimg": 5})
    assert plan.counts()[:3] == (2, 1, 0)


def test_names_that_are_no_text_are_kept() -> None:
    plan = Plan(found("caf\udce9.png"), "/out", ".gimg")
    (picture,) = plan.pending()
    assert (picture.source, picture.target) == ("/in/caf\udce9.png", "/out/caf\udce9.gimg")
