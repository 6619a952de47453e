"""Work beside the page: the latest request wins, nothing queues up, errors arrive."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from combicam_widgets.widgets.background import Background


def apart(job):
    """Run a job in a thread of its own: the browser tests leave a loop running in this one."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(job).result(30)


def test_without_a_loop_jobs_run_in_place():
    results = []
    apart(lambda: Background().run(lambda _report: 6 * 7, results.append, pytest.fail))
    assert results == [42]


def test_errors_arrive():
    def job(_report):
        raise ValueError("no")

    errors = []
    apart(lambda: Background().run(job, pytest.fail, errors.append))
    assert [str(error) for error in errors] == ["no"]


def test_the_latest_wins_and_nothing_queues_up():
    async def scenario():
        background = Background()
        started, release = threading.Event(), threading.Event()
        ran, delivered = [], []

        def job(name):
            def work(_report):
                ran.append(name)
                if name == "first":
                    started.set()
                    release.wait(10)
                return name

            return work

        background.run(job("first"), delivered.append, pytest.fail)
        while not started.is_set():
            await asyncio.sleep(0)
        for name in ("second", "third", "last"):
            background.run(job(name), delivered.append, pytest.fail)
        assert background.busy
        release.set()
        while background.busy:
            await asyncio.sleep(0)
        return ran, delivered

    ran, delivered = apart(lambda: asyncio.run(scenario()))
    assert ran == ["first", "last"]
    assert delivered == ["last"]


def test_results_arrive_on_the_loop_and_cancelled_ones_do_not():
    async def scenario():
        background = Background()
        threads, done = [], asyncio.Event()

        def deliver(_result):
            threads.append(threading.current_thread())
            done.set()

        background.run(lambda _report: 1, pytest.fail, pytest.fail)
        background.cancel()
        assert not background.busy
        background.run(lambda _report: threading.current_thread(), deliver, pytest.fail)
        await asyncio.wait_for(done.wait(), 10)
        return threads == [threading.current_thread()]

    assert apart(lambda: asyncio.run(scenario()))


def test_a_delayed_job_starts_once_after_the_last_call():
    async def scenario():
        background = Background()
        ran = []
        for i in range(5):
            background.run(
                lambda _report, i=i: ran.append(i), lambda _: None, pytest.fail, delay=0.02
            )
            assert ran == []
        while background.busy:
            await asyncio.sleep(0)
        return ran

    assert apart(lambda: asyncio.run(scenario())) == [4]


class Knocked:
    """A lock that tells when somebody wants it."""

    def __init__(self):
        self.wanted, self.inner = threading.Event(), threading.Lock()

    def __enter__(self):
        self.wanted.set()
        self.inner.acquire()

    def __exit__(self, *_error):
        self.inner.release()


def test_a_result_on_its_way_is_dropped_by_who_cancels_under_the_lock():
    background, delivered, loop = Background(), [], asyncio.new_event_loop()
    background.lock = lock = Knocked()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def ask():
        background.run(lambda _report: "old", delivered.append, delivered.append)

    try:
        with lock.inner:  # as a cell holds it that sets another photo
            asyncio.run_coroutine_threadsafe(ask(), loop).result(10)
            assert lock.wanted.wait(10)  # the old result is about to be shown
            background.cancel()
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
    assert delivered == []
