"""Reading a list page by page, in steps without a service: what is shown, requested and proved."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from taurusdb_starrocks import OutcomeUnknownError, Stage, Task
from taurusdb_starrocks._decisions.paging import (
    LIMIT,
    LONGEST_NAME,
    MOST_ENTRIES,
    MOST_PAGES,
    MOST_PASSES,
    MOST_TASKS,
    Found,
    PageRequest,
    following,
    read,
)

Entries = list[dict[str, Any]]
Serve = Callable[[int, int], tuple[object, Sequence[Mapping[str, Any]]]]


def entry(name: object, stage: object = "Incremental", **fields: object) -> dict[str, Any]:
    return {"task_name": name, "stage": stage, "status": "Yes", **fields}


def names_of(count: int) -> list[str]:
    return [f"task_{number}" for number in range(count)]


@attrs.define
class Reading:
    """What came of reading a list."""

    shown: list[Task] = attrs.field(factory=list)
    requests: list[tuple[int, int]] = attrs.field(factory=list)
    tasks: dict[str, Task] = attrs.field(factory=dict)
    error: OutcomeUnknownError | None = None

    @property
    def names(self) -> list[str]:
        return [task.name for task in self.shown]


def drive(serve: Serve, names: Sequence[str] | None = None) -> Reading:
    """Carry the steps out against a function that serves pages."""
    reading, steps, page = Reading(), read(names), None
    try:
        while True:
            step = steps.send(page)
            if isinstance(step, Found):
                assert step.tasks
                reading.shown += step.tasks
                page = None
            else:
                assert isinstance(step, PageRequest)
                reading.requests.append((step.offset, step.limit))
                page = serve(step.offset, step.limit)
    except StopIteration as done:
        reading.tasks = done.value
    except OutcomeUnknownError as error:
        reading.error = error
    assert len(set(reading.names)) == len(reading.names)  # Never a task twice.
    assert len(reading.requests) <= MOST_PAGES
    return reading


@attrs.define
class Paging:
    """A list of tasks, and how the service pages.

    Attributes:
        names: The tasks.
        cap: Most entries of a page, whatever is requested.
        by_pages: Number of the first page, if the offset counts pages.
        total: "right", "text", "page" for the number of entries on the page, or what is said.
    """

    names: list[str]
    cap: int = 100
    by_pages: int | None = None
    total: object = "right"

    def __call__(self, offset: int, limit: int) -> tuple[object, Entries]:
        size = min(self.cap, limit)
        if self.by_pages is not None:
            offset = max(0, offset - self.by_pages) * size
        page = [entry(name) for name in self.names[offset : offset + size]]
        said = {"right": len(self.names), "text": str(len(self.names)), "page": len(page)}
        return said.get(str(self.total), self.total), page


COUNTS = [0, 1, 2, 3, 49, 50, 51, 99, 101, 148]
PAGINGS = list(itertools.product([100, 50, 49, 7, 2, 1], [None, 0, 1]))


@pytest.mark.parametrize(("cap", "by_pages"), PAGINGS)
def test_every_task_once(cap: int, by_pages: int | None) -> None:
    """However many there are, how short pages are cut, what offset counts and the total says.

    In their order, if it counts tasks.
    """
    for count in COUNTS:
        names = names_of(count)
        for total in ("right", "text", None, -1, "many", True, 1.5, "9" * 10):
            reading = drive(Paging(names, cap, by_pages, total))
            assert reading.error is None
            assert sorted(reading.names) == sorted(reading.tasks) == sorted(names)
            if by_pages is None:
                assert reading.names == names


@pytest.mark.parametrize(("cap", "by_pages"), PAGINGS)
def test_a_task_is_found_wherever_it_is_and_only_then(cap: int, by_pages: int | None) -> None:
    """The first, one in the middle, the last, and two; one that is absent is absent."""
    for count, total in itertools.product(COUNTS, ["right", "page", None, 0]):
        names = names_of(count)
        serve = Paging(names, cap, by_pages, total)
        for some in ([], names[:1], names[count // 2 :][:1], names[-1:], names[:1] + names[-1:]):
            for more in ([], ["absent"]):
                reading = drive(serve, [*some, *more])
                assert reading.error is None
                assert set(reading.tasks) == set(some)


REQUESTS: list[tuple[Paging, list[str] | None, list[tuple[int, int]]]] = [
    # A short page and a count that agree end the list.
    (Paging(names_of(0)), None, [(0, 50)]),
    (Paging(names_of(1)), None, [(0, 50)]),
    (Paging(names_of(4)), None, [(0, 50)]),
    (Paging(names_of(4)), ["task_1", "task_3"], [(0, 50)]),
    (Paging(names_of(2)), ["task_0", "task_1"], [(0, 50)]),
    (Paging(names_of(4), total=0), None, [(0, 50)]),
    # A full page may not be the last: the next one begins with its last task.
    (Paging(names_of(50)), None, [(0, 50), (49, 50)]),
    (Paging(names_of(51)), None, [(0, 50), (49, 50)]),
    (Paging(names_of(120)), None, [(0, 50), (49, 50), (98, 50)]),
    # Nor may a short one without a count.
    (Paging(names_of(4), total=None), None, [(0, 50), (3, 50)]),
    (Paging(names_of(4), total=None), ["task_1"], [(0, 50), (3, 50)]),
    # The whole list is read even when the task was seen: it might be contradicted.
    (Paging(names_of(120)), ["task_0"], [(0, 50), (49, 50), (98, 50)]),
    (Paging(names_of(9), cap=4), ["task_0"], [(0, 50), (3, 50), (6, 50)]),
    # That a task is absent takes a page that shows that nothing follows.
    (Paging(names_of(0)), ["x"], [(0, 50)]),
    (Paging(names_of(1)), ["x"], [(0, 50), (1, 50)]),
    (Paging(names_of(4)), ["x"], [(0, 50), (3, 50)]),
    (Paging(names_of(50)), ["x"], [(0, 50), (49, 50)]),
    (Paging(names_of(3), cap=1), ["x"], [(0, 50), (1, 50), (2, 50), (3, 50)]),
    # A page without the last task of the one before: perhaps offset counts pages.
    (Paging(names_of(4), by_pages=0), ["x"], [(0, 50), (3, 50), (0, 50), (1, 4)]),
    (Paging(names_of(4), by_pages=1), ["x"], [(0, 50), (3, 50), (0, 50), (1, 4), (2, 4)]),
    (Paging(names_of(60), by_pages=0), None, [(0, 50), (49, 50), (0, 50), (1, 50)]),
    (Paging(names_of(60), by_pages=1), None, [(0, 50), (49, 50), (0, 50), (1, 50), (2, 50)]),
    (Paging(names_of(50), by_pages=0), None, [(0, 50), (49, 50), (0, 50), (1, 50)]),
    # Pages that are cut are requested as long as they are, so that none is skipped.
    (
        Paging(names_of(9), by_pages=0, cap=4),
        None,
        [(0, 50), (3, 50), (0, 50), (1, 4), (2, 4)],
    ),
    (
        Paging(names_of(8), by_pages=0, cap=4),
        None,
        [(0, 50), (3, 50), (0, 50), (1, 4), (2, 4)],
    ),
]


@pytest.mark.parametrize(("serve", "names", "requests"), REQUESTS, ids=str)
def test_no_more_is_requested_than_it_takes(
    serve: Paging, names: list[str] | None, requests: list[tuple[int, int]]
) -> None:
    """These pages and no others."""
    assert drive(serve, names).requests == requests


def test_tasks_are_shown_as_they_are_read() -> None:
    """Those of a page before the next page is requested."""
    steps = read()
    assert next(steps) == PageRequest(0, 50)
    found = steps.send((3, [entry("a"), entry("b")]))
    assert isinstance(found, Found)
    assert [task.name for task in found.tasks] == ["a", "b"]
    assert next(steps) == PageRequest(1, 50)
    found = steps.send((3, [entry("b"), entry("c")]))
    assert isinstance(found, Found)
    assert [task.name for task in found.tasks] == ["c"]
    with pytest.raises(StopIteration) as done:
        next(steps)
    assert list(done.value.value) == ["a", "b", "c"]


def test_steps_one_after_the_other() -> None:
    """Until there are none, for a loop without exceptions."""
    steps = read()
    assert following(steps) == PageRequest(0, 50)
    assert isinstance(following(steps, (1, [entry("a")])), Found)
    assert following(steps) is None
    assert following(steps) is None


def test_what_goes_wrong_with_a_page_goes_on() -> None:
    """The reader does not swallow it, and is over."""
    steps = read(["x"])
    next(steps)
    with pytest.raises(OSError, match="lost"):
        steps.throw(OSError("lost"))
    with pytest.raises(StopIteration):
        next(steps)


# A service that never shows a page of its own accord


def test_a_total_that_is_never_reached() -> None:
    """All is shown that there is; then it is said that something is missing."""
    reading = drive(Paging(names_of(4), total=5))
    assert reading.names == names_of(4)
    assert reading.error is not None
    assert str(reading.error).startswith(
        "The list of tasks could not be read completely: 4 of 5 were seen. "
    )
    assert reading.error.harmless
    # By records, by pages as long as the first, by records, by pages as long as may be, and again.
    assert reading.requests == [
        *[(0, 50), (3, 50), (0, 50), (1, 4)],
        *[(0, 50), (3, 50), (0, 50), (1, 50)],
        *[(0, 50), (3, 50), (0, 50), (1, 4)],
    ]


def test_an_unknown_total_is_said_to_be_unknown() -> None:
    """When the list shows the same whatever is requested."""
    reading = drive(lambda *_: (None, [entry("a"), entry("b")]))
    assert reading.names == ["a", "b"]
    assert ": 2 of an unknown number were seen. " in str(reading.error)
    by_records, by_pages = [(0, 50), (1, 50)], [(0, 50), (1, 2), (2, 2)]
    longer = [(0, 50), (1, 50), (2, 50)]
    assert reading.requests == [
        *[*by_records, *by_pages],
        *[*by_records, *longer],
        *[*by_records, *by_pages],
    ]


@pytest.mark.parametrize("names", [None, ["x"]])
def test_a_service_that_ignores_the_offset(names: list[str] | None) -> None:
    """What it shows is all there is, if it is as much as it counts."""
    reading = drive(lambda *_: (3, [entry("a"), entry("b"), entry("c")]), names)
    assert reading.error is None
    assert reading.names == ["a", "b", "c"]
    assert reading.tasks.keys() == ({"a", "b", "c"} if names is None else set())


def test_a_service_that_ignores_the_offset_and_cuts_the_list() -> None:
    """A full page that is always the same proves nothing of what is not on it."""
    reading = drive(lambda *_: (50, [entry(name) for name in names_of(50)]), ["x"])
    assert reading.error is not None
    reading = drive(lambda *_: (49, [entry(name) for name in names_of(49)]), ["x"])
    assert reading.error is None


@pytest.mark.parametrize("page", [(3, []), ("3", []), (1, [])])
def test_an_empty_page_of_a_list_that_is_not_empty(page: Any) -> None:
    """Neither no task nor an absent one."""
    for names in (None, ["x"]):
        reading = drive(lambda *_: page, names)
        assert reading.error is not None
        assert reading.requests == [
            *[(0, 50), (0, 50), (1, 1)],
            *[(0, 50), (0, 50), (1, 50)],
            *[(0, 50), (0, 50), (1, 1)],
        ]


@pytest.mark.parametrize("total", [0, None, "0", "none", -1])
def test_an_empty_page_of_an_empty_list(total: object) -> None:
    """One look is enough, for all tasks and for one."""
    for names in (None, ["x"]):
        reading = drive(lambda *_: (total, []), names)
        assert (reading.error, reading.tasks, reading.requests) == (None, {}, [(0, 50)])


# Entries that are missing, repeated or contradict each other


def without(missed: str, serve: Paging) -> Serve:
    """The same, but one task is on no page and yet counted."""

    def serving(offset: int, limit: int) -> tuple[object, Entries]:
        total, page = serve(offset, limit)
        return total, [each for each in page if each["task_name"] != missed]

    return serving


@pytest.mark.parametrize("missed", ["task_0", "task_3", "task_60", "task_119"])
@pytest.mark.parametrize("by_pages", [None, 0, 1])
def test_a_task_that_is_counted_and_not_shown(missed: str, by_pages: int | None) -> None:
    """It is not said to be absent, and the others are found."""
    serve = without(missed, Paging(names_of(120), by_pages=by_pages))
    assert drive(serve, [missed]).error is not None
    assert drive(serve, ["task_1", "task_118"]).tasks.keys() == {"task_1", "task_118"}
    everything = drive(serve)
    assert everything.error is not None
    assert set(everything.names) == set(names_of(120)) - {missed}


@pytest.mark.parametrize("number", range(9))
def test_a_task_that_is_missed_once(number: int) -> None:
    """It is found when the list is read once more."""
    calls = itertools.count()

    def serve(offset: int, limit: int) -> tuple[object, Entries]:
        right = Paging(names_of(9), cap=4)
        first = next(calls) < 3
        return (without(f"task_{number}", right) if first else right)(offset, limit)

    assert drive(serve, [f"task_{number}"]).tasks.keys() == {f"task_{number}"}
    calls = itertools.count()
    reading = drive(serve)
    assert reading.error is None
    assert sorted(reading.names) == names_of(9)


def repeating(serve: Paging) -> Serve:
    """The same, but every entry is there twice, and what no longer fits is left out."""

    def serving(offset: int, limit: int) -> tuple[object, Entries]:
        total, page = serve(offset, limit)
        return total, [each for one in page for each in (one, one)][:limit]

    return serving


@pytest.mark.parametrize("count", [1, 4, 30, 60, 120])
@pytest.mark.parametrize("by_pages", [None, 0, 1])
def test_repeated_entries(count: int, by_pages: int | None) -> None:
    """No task twice, and none that is pushed off a page is said to be absent."""
    names = names_of(count)
    serve = repeating(Paging(names, by_pages=by_pages))
    for wanted in (names[0], names[count // 2], names[-1]):
        reading = drive(serve, [wanted])
        assert reading.error is not None or reading.tasks.keys() == {wanted}
    if by_pages is None:
        assert drive(serve).names == names
        assert drive(serve, ["x"]).error is None


def test_entries_repeated_in_place_of_others() -> None:
    """A count that only repetition reaches proves nothing."""
    reading = drive(lambda offset, _: (3, [entry("a"), entry("a"), entry("b")][offset:]), ["x"])
    assert reading.error is not None
    assert "2 of 3" in str(reading.error)


CONTRADICTIONS: list[tuple[list[dict[str, Any]], tuple[Stage, str, str]]] = [
    (
        [{"stage": "Incremental"}, {"stage": "Paused"}],
        (Stage.UNKNOWN, "Incremental / Paused", "Yes"),
    ),
    (
        [{"stage": "Paused"}, {"stage": "Incremental"}, {"stage": "Incremental"}],
        (Stage.UNKNOWN, "Paused / Incremental", "Yes"),
    ),
    (
        [{"stage": "Paused"}, {"stage": "Full"}, {"stage": "Paused"}],
        (Stage.UNKNOWN, "Paused / Full", "Yes"),
    ),
    (
        [{"stage": "Paused"}, {"stage": "Paused", "status": "No"}],
        (Stage.UNKNOWN, "Paused", "Yes / No"),
    ),
    ([{"stage": "Paused"}, {"stage": "paused"}], (Stage.PAUSED, "Paused", "Yes")),
    (
        [{"stage": "Paused", "percentage": 1}, {"stage": "Paused", "percentage": 2}],
        (Stage.PAUSED, "Paused", "Yes"),
    ),
]


@pytest.mark.parametrize(("shown", "read_as"), CONTRADICTIONS)
def test_contradicting_entries_prove_nothing(
    shown: list[dict[str, Any]], read_as: tuple[Stage, str, str]
) -> None:
    """On one page, the task is there and its stage is not known."""
    page = [entry("one"), *(entry("two", **fields) for fields in shown), entry("three")]
    for names in (None, ["two"]):
        reading = drive(lambda offset, _: (3, page[offset:]), names)
        task = reading.tasks["two"]
        assert (task.stage, task.stage_text, task.status) == read_as
        assert [task.name for task in reading.shown] == ["one", "two", "three"]


def test_pages_that_contradict_each_other_prove_nothing() -> None:
    """A task that was paused on one page and runs on the next is neither."""

    def serve(offset: int, _limit: int) -> tuple[object, Entries]:
        stage = "Paused" if offset == 0 else "Incremental"
        return 3, [entry("a"), entry("b", stage), entry("c")][offset : offset + 2]

    assert drive(serve, ["b"]).tasks["b"].stage is Stage.UNKNOWN
    # What is not read twice in one pass cannot contradict itself.
    assert drive(serve, ["a"]).tasks["a"].stage is Stage.INCREMENTAL


def test_a_later_pass_replaces_an_earlier_one() -> None:
    """The list is read anew, so a task that has changed in between is no contradiction."""
    calls = itertools.count()

    def serve(offset: int, _limit: int) -> tuple[object, Entries]:
        number = next(calls)
        stage = "Incremental" if number < 2 else "Paused"
        names = ["a"] if number < 2 else ["a", "b"]
        return 2, [entry(name, stage) for name in names][offset:]

    reading = drive(serve, ["a", "b"])
    assert {task.stage for task in reading.tasks.values()} == {Stage.PAUSED}
    assert [task.stage for task in reading.shown] == [Stage.INCREMENTAL, Stage.PAUSED]


# Entries that cannot be read


UNREADABLE = [None, "", 7, [], "n" * (LONGEST_NAME + 1), "n" * 950_000]


@pytest.mark.parametrize("name", UNREADABLE, ids=lambda name: str(name)[:10])
def test_an_entry_without_a_usable_name(name: object) -> None:
    """It is counted and not shown, and might be the task that is looked for."""
    for page in ([entry(name), entry("a")], [entry("a"), entry(name)]):
        everything = drive(lambda offset, _, page=page: (2, page[offset:]))
        assert (everything.names, everything.error) == (["a"], None)
        assert drive(lambda offset, _, page=page: (2, page[offset:]), ["a"]).tasks.keys() == {"a"}
        assert drive(lambda offset, _, page=page: (2, page[offset:]), ["x"]).error is not None


def test_an_entry_that_is_empty() -> None:
    """As one without a name."""
    assert drive(lambda offset, _: (1, [{}][offset:])).error is None
    assert drive(lambda offset, _: (1, [{}][offset:]), ["x"]).error is not None


def test_the_longest_name() -> None:
    """As long as a task's may be."""
    name = "n" * LONGEST_NAME
    assert drive(lambda offset, _: (1, [entry(name)][offset:])).names == [name]


@pytest.mark.parametrize("place", range(6))
def test_pages_are_joined_over_unreadable_entries(place: int) -> None:
    """Wherever they stand, nothing is skipped."""
    rows = [entry(name) for name in names_of(5)]
    rows.insert(place, entry(None))

    def serve(offset: int, _limit: int) -> tuple[object, Entries]:
        return len(rows), rows[offset : offset + 3]

    reading = drive(serve)
    assert sorted(reading.names) == names_of(5)
    assert reading.error is None


# Lists that change while they are read


@settings(deadline=None)  # A machine may be busy.
@given(st.integers(2, 400), st.randoms(use_true_random=False))
def test_a_task_that_disappears_hides_no_other(count: int, chance: random.Random) -> None:
    """Whichever task goes while the list is read, all that stay are seen."""
    names = names_of(count)
    gone = chance.choice(names)
    calls = itertools.count()
    when = chance.randrange(1, 5)

    def serve(offset: int, limit: int) -> tuple[object, Entries]:
        if next(calls) == when and gone in names:
            names.remove(gone)
        return Paging(names)(offset, limit)

    reading = drive(serve)
    assert reading.error is None
    assert set(names) <= set(reading.names)


@settings(deadline=None)  # A machine may be busy.
@given(st.integers(2, 200), st.integers(1, 4), st.randoms(use_true_random=False))
def test_a_task_that_stays_is_found_while_others_come_and_go(
    count: int, when: int, chance: random.Random
) -> None:
    """Wherever they come or go, once, while the list is read."""
    names = names_of(count)
    stays = chance.choice(names)
    calls = itertools.count()

    def serve(offset: int, limit: int) -> tuple[object, Entries]:
        if next(calls) == when:
            others = [name for name in names if name != stays]
            for name in chance.sample(others, k=min(len(others), chance.randrange(3))):
                names.remove(name)
            for number in range(chance.randrange(3)):
                names.insert(chance.randrange(len(names) + 1), f"new_{number}")
        return Paging(names)(offset, limit)

    assert drive(serve, [stays]).tasks.keys() == {stays}


def test_a_task_that_comes_while_another_goes_hides_no_other() -> None:
    """The count stays the same, and the overlap of the pages still tells."""
    names = names_of(250)
    calls = itertools.count()

    def serve(offset: int, limit: int) -> tuple[object, Entries]:
        if next(calls) == 1:
            names.remove("task_3")
            names.append("late")
        return Paging(names)(offset, limit)

    reading = drive(serve)
    assert reading.error is None
    assert set(names) <= set(reading.names)


@pytest.mark.parametrize("when", [1, 2])
def test_a_list_without_a_total_that_moves(when: int) -> None:
    """Only the overlap tells that something was skipped; the list is read once more."""
    names = names_of(120)
    calls = itertools.count()

    def serve(offset: int, limit: int) -> tuple[object, Entries]:
        if next(calls) == when:
            names.remove("task_3")
        return Paging(names, total=None)(offset, limit)

    assert drive(serve, ["task_50"]).tasks.keys() == {"task_50"}
    names = names_of(120)
    calls = itertools.count()
    reading = drive(serve)
    assert reading.error is None
    assert set(names) <= set(reading.names)


def test_a_list_in_another_order_at_every_call() -> None:
    """What fits on a page is read; of more, no task is said to be absent that is there."""
    chance = random.Random(1)

    def shuffled(count: int) -> Serve:
        def serve(offset: int, limit: int) -> tuple[object, Entries]:
            names = names_of(count)
            chance.shuffle(names)
            return Paging(names)(offset, limit)

        return serve

    assert drive(shuffled(40)).error is None
    assert drive(shuffled(40), ["task_39"]).tasks.keys() == {"task_39"}
    for _ in range(50):
        reading = drive(shuffled(120), ["task_119"])
        assert reading.error is not None or reading.tasks.keys() == {"task_119"}


@settings(deadline=None)  # A machine may be busy.
@given(
    st.integers(0, 130),
    st.sampled_from([100, 50, 20, 3]),
    st.sampled_from([None, 0, 1]),
    st.sampled_from(["right", "page", None, 0, 7, 10**6]),
    st.randoms(use_true_random=False),
)
def test_never_a_wrong_not_found(
    count: int, cap: int, by_pages: int | None, total: object, chance: random.Random
) -> None:
    """Whatever pages lose or repeat by chance, a task that the service counts is not absent."""
    names = names_of(count)
    right = Paging(names, cap, by_pages, "right" if total == 7 and count < 7 else total)

    def serve(offset: int, limit: int) -> tuple[object, Entries]:
        said, page = right(offset, limit)
        if total == "right" and page and chance.random() < 0.3:
            page.pop(chance.randrange(len(page)))
        if page and chance.random() < 0.3:
            page.insert(chance.randrange(len(page)), chance.choice(page))
        return said, page

    for wanted in names[:1] + names[-1:]:
        reading = drive(serve, [wanted])
        assert reading.error is not None or reading.tasks.keys() == {wanted}


# Bounds


def test_a_list_without_end() -> None:
    """New tasks for ever: an error after a bounded number of pages, and a task is found."""

    def serve(offset: int, limit: int) -> tuple[object, Entries]:
        return 10**9, [entry(f"task_{number}") for number in range(offset, offset + 2)]

    reading = drive(serve)
    assert len(reading.requests) == MOST_PAGES
    said = f"The list of tasks did not end within {MOST_PAGES} pages. "
    assert str(reading.error).startswith(said)
    assert reading.error is not None
    assert reading.error.harmless
    assert drive(serve, ["task_7"]).tasks.keys() == {"task_7"}
    assert f"within {MOST_PAGES} pages" in str(drive(serve, ["x"]).error)


def test_a_list_with_too_many_tasks() -> None:
    """As many as are read are shown; one more is an error."""

    def serving(count: int) -> Serve:
        def serve(offset: int, _limit: int) -> tuple[object, Entries]:
            end = min(count, offset + MOST_ENTRIES)
            return count, [entry(f"t{number}") for number in range(offset, end)]

        return serve

    reading = drive(serving(MOST_TASKS))
    assert (len(reading.names), reading.error) == (MOST_TASKS, None)
    reading = drive(serving(MOST_TASKS + 1))
    assert len(reading.names) == MOST_TASKS - MOST_TASKS // MOST_ENTRIES + 1
    assert str(reading.error).startswith(f"The list of tasks has more than {MOST_TASKS} tasks. ")


def test_a_page_with_too_many_entries() -> None:
    """It is not looked at; one that is as long as may be is."""
    page = [entry("a")] + [{}] * MOST_ENTRIES
    reading = drive(lambda *_: (1, page))
    assert (reading.names, reading.requests) == ([], [(0, 50)])
    assert str(reading.error).startswith(f"A page has more than {MOST_ENTRIES} tasks. ")
    assert drive(lambda *_: (1000, page[:-1])).names == ["a"]


def test_bounds_are_what_they_are() -> None:
    """The vendor's page of 50, and room enough for any instance there is."""
    assert (LIMIT, MOST_PASSES, MOST_PAGES) == (50, 6, 300)
    assert (MOST_TASKS, MOST_ENTRIES, LONGEST_NAME) == (10_000, 1000, 128)
