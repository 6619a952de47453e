"""The engine reads one batch ahead and no more, and stops when it is closed."""

import threading

import pytest

from combicam_widgets.running import Given, batches, run


class Recording:
    def __init__(self, fails=None):
        self.events, self.threads, self.fails = [], set(), fails

    def prepare(self, _model, batch):
        self.threads.add(threading.current_thread())
        self.events.append(("read", batch[0].name))
        return batch

    def work(self, _model, prepared):
        if prepared[0].name == self.fails:
            raise ValueError("no such network")
        self.events.append(("work", prepared[0].name))
        return len(prepared)

    def failed(self, _batch, error):
        raise AssertionError(error)


def photos(n):
    return [Given(str(i), b"") for i in range(n)]


def test_batches_are_cut_in_order():
    assert [[x.name for x in some] for some in batches(photos(5), 2)] == [
        ["0", "1"],
        ["2", "3"],
        ["4"],
    ]


def test_results_come_in_order_and_only_one_batch_is_read_ahead():
    task, taken = Recording(), []

    def given():
        for some in batches(photos(10), 2):
            taken.append(some[0].name)
            yield some

    for count, batch in enumerate(run(None, given(), task), 1):
        assert batch.result == 2
        assert batch.photos[0].name == str(2 * count - 2)
        assert len(taken) <= count + 1
    assert count == 5
    assert [name for what, name in task.events if what == "work"] == list("02468")
    assert threading.current_thread() not in task.threads
    assert len(task.threads) == 1


def test_what_goes_wrong_ends_the_run_and_its_thread():
    task = Recording(fails="2")
    with pytest.raises(ValueError, match="no such network"):
        list(run(None, batches(photos(10), 1), task))
    assert not any(thread.is_alive() for thread in task.threads)
    assert len([what for what, _ in task.events if what == "read"]) <= 4


def test_a_run_that_is_closed_reads_no_more():
    task = Recording()
    work = run(None, batches(photos(100), 1), task)
    next(work)
    work.close()
    assert len([what for what, _ in task.events if what == "read"]) <= 3
    assert not any(thread.is_alive() for thread in task.threads)
