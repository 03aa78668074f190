"""When the tracker asks, how often, and what it makes of the answers: in virtual time."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from virtual import Service, clock_of, run

from novakit_widgets.api.client import NovaKitClient
from novakit_widgets.engine.tracker import JobTracker, tracker_of
from novakit_widgets.errors import (
    APIError,
    AuthenticationError,
    InvalidParameterError,
    JobTimeoutError,
    NotFoundError,
    NovaKitConnectionError,
    PermissionDeniedError,
    RateLimitError,
    UnreadableAnswerError,
)
from novakit_widgets.limits.schedule import Pace
from novakit_widgets.model.job import Job, JobStatus


def tracker_for(service, *, pace=None, random=lambda: 0.5):
    loop = asyncio.get_running_loop()
    return JobTracker(service, pace=pace, clock=clock_of(loop, random))


class Listener:
    """Notes what a watch tells, and when."""

    def __init__(self):
        self.watch = None
        self.seen = []

    def __call__(self):
        loop = asyncio.get_running_loop()
        self.seen.append((loop.time(), self.watch.job.progress, self.watch.job.status, self.watch.trouble))


def watch(tracker, job, timeout=300.0):
    listener = Listener()
    listener.watch = tracker.watch(job, timeout=timeout, on_change=listener)
    return listener


async def all_over(*listeners):
    while not all(listener.watch.over for listener in listeners):
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.05)  # what was stopped is gone a few steps later


def test_watch_one_job_takes_few_requests():
    """A job of a minute: at most 15 polling requests, many steps of progress, and its end noticed at once."""

    async def main():
        service = Service()
        tracker = tracker_for(service)
        listener = watch(tracker, service.add(60.0))
        await all_over(listener)
        assert len(service.requests) <= 15
        assert service.counts()["poll"] <= 3
        steps = [progress for _, progress, _, _ in listener.seen]
        assert len(steps) >= 7
        assert steps == sorted(steps)
        assert listener.watch.job.status == "completed"
        assert listener.seen[-1][0] == pytest.approx(60.0, abs=0.2)
        assert not tracker.busy
        assert tracker.watched == 0

    run(main())


def test_interval_grows_and_restarts_with_a_new_job():
    """Snapshots come after 2, 3, 4.5 … 10 s, and after 2 s again when there is a new job."""

    async def main():
        service = Service(latency=0.0)
        tracker = tracker_for(service)
        first = watch(tracker, service.add(200.0))
        await asyncio.sleep(50.0)
        lists = [at for at, kind, _ in service.requests if kind == "list"]
        gaps = [b - a for a, b in zip([0.0, *lists], lists, strict=False)]
        assert gaps[:5] == pytest.approx([2.0, 3.0, 4.5, 6.75, 10.0])
        second = watch(tracker, service.add(100.0))
        await asyncio.sleep(2.5)
        assert service.requests[-1][0] == pytest.approx(52.0)
        await all_over(first, second)

    run(main())


@pytest.mark.parametrize(("count", "limit"), [(1, None), (4, None), (5, None), (100, None), (3, 120), (40, 300)])
def test_polling_stays_under_half_of_the_limit(count, limit):
    """Whatever the number of jobs, no window of a minute sees more than half of the key's requests."""

    async def main():
        service = Service(limit=limit)
        tracker = tracker_for(service)
        listeners = [watch(tracker, service.add(40.0 + 3 * index), timeout=3000.0) for index in range(count)]
        await all_over(*listeners)
        # The first answers go by the smallest plan's limit, because nobody has said otherwise yet.
        assert service.most_in_a_window() <= (limit or 30) / 2
        assert all(listener.watch.job.status == "completed" for listener in listeners)

    run(main())


def test_polling_a_hundred_jobs_costs_hardly_more_than_one():
    """A hundred jobs of a minute at once: at most 20 requests a minute and two for each job."""

    async def main():
        service = Service()
        tracker = tracker_for(service)
        listeners = [watch(tracker, service.add(60.0)) for _ in range(100)]
        await all_over(*listeners)
        assert service.most_in_a_window() <= 15
        assert service.counts()["poll"] == 0
        assert max(listener.seen[-1][0] for listener in listeners) <= 60.0 + 10.1

    run(main())


def test_jobs_beyond_the_list_are_requested_singly():
    """More jobs than one list shows: each is noticed all the same."""

    async def main():
        service = Service(limit=6000)
        tracker = tracker_for(service)
        listeners = [watch(tracker, service.add(30.0 + index % 7)) for index in range(250)]
        await all_over(*listeners)
        assert all(listener.watch.job.output for listener in listeners)

    run(main())


def test_list_full_of_other_jobs_does_not_hide_ours():
    """When the newest hundred jobs are somebody else's, ours are found among the pending ones, and got when they end."""

    async def main():
        service = Service()
        tracker = tracker_for(service)
        listeners = [watch(tracker, service.add(60.0)) for _ in range(6)]
        service.list_whole = service.list

        async def crowded(*, pending=None, limit=None, retry=True):
            jobs = await service.list_whole(pending=pending, limit=limit, retry=retry)
            return jobs if pending else tuple(Job(f"other_{n}", JobStatus.COMPLETED) for n in range(100))

        service.list = crowded
        await all_over(*listeners)
        assert service.counts()["get"] + service.counts()["poll"] >= 6
        assert service.counts()["get"] > 0
        assert all(len(listener.seen) >= 5 for listener in listeners)

    run(main())


def test_server_without_long_polls_is_polled_with_backoff():
    """A long poll answered at once with the job still running must not become a storm."""

    async def main():
        service = Service(hold=0.0)
        tracker = tracker_for(service)
        listener = watch(tracker, service.add(45.0))
        await all_over(listener)
        assert len(service.requests) <= 12
        assert listener.seen[-1][0] <= 45.0 + 10.1

    run(main())


def test_429_pauses_all_polling_for_retry_after():
    """After Retry-After: 25 no request of this key goes out for 25 s, whichever job's it would be."""

    async def main():
        service = Service()
        tracker = tracker_for(service)
        listeners = [watch(tracker, service.add(120.0)) for _ in range(2)]
        await asyncio.sleep(4.0)
        service.fail(RateLimitError("slow down", 429, retry_after=25.0), kind="list")
        await all_over(*listeners)
        refused = next(at for at, kind, _ in service.requests if kind == "list" and at > 4.0)
        after = [at for at, _, _ in service.requests if at > refused + 0.1]
        assert min(after) >= refused + 25.0
        assert all(listener.watch.job.status == "completed" for listener in listeners)

    run(main())


def test_connection_lost_is_shown_and_retried():
    """While nothing answers the watch says so, waits longer and longer, and goes on as soon as it can."""

    async def main():
        service = Service()
        tracker = tracker_for(service, random=lambda: 1.0)
        listener = watch(tracker, service.add(100.0))
        await asyncio.sleep(1.0)
        service.fail(NovaKitConnectionError("no answer"), times=5, kind="poll")
        await all_over(listener)
        troubles = [trouble for _, _, _, trouble in listener.seen if trouble is not None]
        assert troubles
        assert listener.watch.trouble is None
        assert listener.watch.job.status == "completed"
        polls = [at for at, kind, _ in service.requests if kind == "poll"]
        gaps = [b - a for a, b in pairwise(polls[1:6])]
        assert gaps == pytest.approx([1.02, 2.02, 4.02, 8.02], abs=0.01)

    run(main())


@pytest.mark.parametrize("error", [APIError("oops", 500), APIError("oops", 503), UnreadableAnswerError("no JSON", 200)])
def test_server_error_keeps_the_watch(error):
    """A 5xx or a body that is no JSON says nothing about the job, so the watching goes on."""

    async def main():
        service = Service()
        tracker = tracker_for(service)
        listener = watch(tracker, service.add(30.0))
        service.fail(error, times=3)
        await all_over(listener)
        assert listener.watch.job.status == "completed"
        assert listener.watch.error is None

    run(main())


@pytest.mark.parametrize("error", [PermissionDeniedError("scope", 403), NotFoundError("gone", 404)])
def test_403_and_404_end_one_watch(error):
    """What no repetition can mend ends the watch with the error, and leaves the other jobs alone."""

    async def main():
        service = Service()
        tracker = tracker_for(service)
        good, bad = watch(tracker, service.add(20.0)), watch(tracker, service.add(60.0))
        await asyncio.sleep(0.5)
        healthy = service.get

        async def get(job_id, **options):
            if job_id == bad.watch.job_id:
                raise error
            return await healthy(job_id, **options)

        service.get = get
        await all_over(bad, good)
        assert bad.watch.error is error
        assert good.watch.job.status == "completed"

    run(main())


def test_401_ends_all_watches():
    """A revoked key is every job's trouble."""

    async def main():
        service = Service()
        tracker = tracker_for(service)
        listeners = [watch(tracker, service.add(60.0)) for _ in range(3)]
        await asyncio.sleep(5.0)
        service.fail(AuthenticationError("revoked", 401), times=10_000)
        await all_over(*listeners)
        assert all(isinstance(listener.watch.error, AuthenticationError) for listener in listeners)
        assert not tracker.busy

    run(main())


@pytest.mark.parametrize("count", [1, 20])
def test_key_without_list_scope_still_watches(count):
    """403 on the list costs the shared progress; the jobs are asked for one by one."""

    async def main():
        service = Service()
        tracker = tracker_for(service)
        service.fail(PermissionDeniedError("scope", 403), times=10_000, kind="list")
        listeners = [watch(tracker, service.add(50.0), timeout=900.0) for _ in range(count)]
        await all_over(*listeners)
        assert all(listener.watch.job.status == "completed" for listener in listeners)
        assert service.most_in_a_window() <= 15

    run(main())


@pytest.mark.parametrize("count", [1, 20])
def test_list_too_long_requests_jobs_singly(count):
    """Jobs that carry their sources along may be too long together; one by one they are not, and nobody hears of trouble."""

    async def main():
        service = Service()
        tracker = tracker_for(service)
        too_long = UnreadableAnswerError("longer than any that makes sense", 200)
        too_long.too_long = True
        service.fail(too_long, times=10_000, kind="list")
        listeners = [watch(tracker, service.add(50.0), timeout=900.0) for _ in range(count)]
        await all_over(*listeners)
        assert all(listener.watch.job.status == "completed" for listener in listeners)
        assert all(trouble is None for listener in listeners for *_, trouble in listener.seen)
        assert service.most_in_a_window() <= 15

    run(main())


def test_timeout_ends_the_watch_and_names_the_job():
    """After its time-out a watch is over with an error that carries the id, and nothing is left running."""

    async def main():
        service = Service()
        tracker = tracker_for(service)
        short, long = watch(tracker, service.add(100.0), timeout=7.0), watch(tracker, service.add(20.0))
        await all_over(short)
        assert asyncio.get_running_loop().time() == pytest.approx(7.0, abs=0.2)
        assert isinstance(short.watch.error, JobTimeoutError)
        assert short.watch.error.job_id in str(short.watch.error)
        assert not long.watch.over
        await all_over(long)
        assert not tracker.busy

    run(main())


@pytest.mark.parametrize("error", [None, PermissionDeniedError("no", 403), AuthenticationError("no", 401)])
def test_listener_can_watch_again_at_once(error):
    """Whatever ended the watch, there is one task of each kind, and none when it ends."""

    async def main():
        service = Service()
        tracker = tracker_for(service)
        job = service.add(60.0)
        if error is not None:
            service.fail(error, times=8, kind="poll")
        watches = []

        def again():
            if not watches or watches[-1].error is not None:
                watches.append(tracker.watch(job, timeout=5.0, on_change=again))

        again()
        most = 0
        while not watches[-1].job.ended:
            await asyncio.sleep(0.05)
            names = [task.get_coro().__qualname__ for task in asyncio.all_tasks()]
            most = max([most, *(names.count(name) for name in names if name.startswith("JobTracker."))])
        assert len(watches) > 8
        assert most == 1
        await asyncio.sleep(0.05)
        assert not tracker.busy
        assert [task.get_coro().__qualname__ for task in asyncio.all_tasks()] == [main.__qualname__]

    run(main())


def test_timeout_while_the_service_is_silent_ends_the_watch():
    """Neither a list that hangs nor an outage puts the end of the watching off."""

    async def main():
        service = Service(latency=500.0)
        tracker = tracker_for(service)
        listeners = [watch(tracker, service.add(1000.0), timeout=30.0) for _ in range(9)]
        await all_over(*listeners)
        assert asyncio.get_running_loop().time() == pytest.approx(30.0, abs=0.2)
        await tracker.aclose()

    run(main())


def test_job_watched_twice_is_requested_once():
    """Two cards of one job share its requests, and both hear of its end."""

    async def main():
        service = Service()
        tracker = tracker_for(service)
        job = service.add(25.0)
        one, two = watch(tracker, job), watch(tracker, job)
        await all_over(one, two)
        assert service.counts()["poll"] == 1
        assert one.watch.job == two.watch.job

    run(main())


def test_answer_overtaken_by_a_newer_one_is_ignored():
    """A snapshot taken before the end that arrives after it leaves the job ended."""
    ended = Job("job_1", JobStatus.COMPLETED, progress=100.0, output={"url": "https://x.example/a.mp4"})
    late = Job("job_1", JobStatus.PROCESSING, progress=40.0)
    assert ended.advanced(late) == ended
    assert late.advanced(ended).output == ended.output


def test_ended_job_is_not_watched():
    """A job that has already ended is over at once, without a request."""

    async def main():
        service = Service()
        tracker = tracker_for(service)
        job = service.add(0.0)
        assert tracker.watch(job, timeout=10.0).over
        assert service.requests == []
        with pytest.raises(ValueError, match="no id"):
            tracker.watch(Job(None, JobStatus.COMPLETED), timeout=1.0)

    run(main())


def test_aclose_leaves_no_task():
    """Closing ends what runs, in the middle of long polls, and returns when it is gone."""

    async def main():
        service = Service()
        tracker = tracker_for(service)
        watch(tracker, service.add(100.0))
        await asyncio.sleep(3.0)
        assert tracker.busy
        await tracker.aclose()
        assert not tracker.busy

    run(main())


def test_listener_that_raises_does_not_affect_others():
    """An exception in one listener is reported to the loop, and the other jobs are watched on."""

    async def main():
        service = Service()
        tracker = tracker_for(service)
        tracker.watch(service.add(10.0), timeout=60.0, on_change=lambda: 1 / 0)
        good = watch(tracker, service.add(20.0))
        await all_over(good)
        loop = asyncio.get_running_loop()
        assert all(isinstance(problem["exception"], ZeroDivisionError) for problem in loop.problems)
        assert loop.problems
        loop.problems.clear()

    run(main())


def test_sandbox_speed_shortens_the_intervals():
    """At speed 12 a job of 6 s shows as many steps as one of 72 s does at speed 1."""

    async def main():
        service = Service(latency=0.001, hold=30.0)
        tracker = tracker_for(service, pace=Pace.at(12.0))
        listener = watch(tracker, service.add(6.0))
        await all_over(listener)
        assert len(listener.seen) >= 6

    run(main())


def test_internal_error_ends_the_watch_and_is_reported():
    """Something that nobody foresaw must not leave a card waiting for ever."""

    async def main():
        service = Service()
        tracker = tracker_for(service)
        listener = watch(tracker, service.add(60.0))

        async def get(job_id, **options):
            raise KeyError("nobody foresaw this")

        service.get = get
        await all_over(listener)
        assert "fault of novakit_widgets" in str(listener.watch.error)
        loop = asyncio.get_running_loop()
        assert isinstance(loop.problems[0]["exception"], KeyError)
        loop.problems.clear()

    run(main())


def test_malformed_id_ends_the_watch():
    """What the client refuses to ask for is no passing trouble."""

    async def main():
        service = Service()
        tracker = tracker_for(service)
        listener = watch(tracker, service.add(60.0))
        service.fail(InvalidParameterError("no job id", parameter="job_id"), kind="poll")
        await all_over(listener)
        assert isinstance(listener.watch.error, InvalidParameterError)
        assert asyncio.get_running_loop().time() < 1.0

    run(main())


def test_tracker_of_one_client_on_two_loops_differs():
    """Threads with loops of their own must not stop each other's watches."""
    client = NovaKitClient("sk_" + "0" * 64)
    trackers = []

    async def main():
        trackers.append(tracker_of(client))
        assert tracker_of(client) is trackers[-1]

    run(main())
    run(main())
    assert trackers[0] is not trackers[1]


@pytest.mark.parametrize("count", [1, 3, 40])
@pytest.mark.parametrize("left", [20.0, 5_000.0], ids=["ended meanwhile", "still running"])
def test_clock_jump_of_an_hour_continues_the_watch(count, left):
    """A laptop wakes up: what has ended is noticed soon, what has not is watched further, and no burst of requests is sent."""

    async def main():
        service = Service()
        tracker = tracker_for(service)
        listeners = [watch(tracker, service.add(50.0 + left), timeout=300.0) for _ in range(count)]
        await asyncio.sleep(50.0)
        asyncio.get_running_loop()._virtual.now += 3_600.0
        woken = service.now
        await asyncio.sleep(60.0)
        requests = [at for at, _, _ in service.requests if at >= woken]
        assert len(requests) <= 15  # half of the key's requests of a minute
        assert sum(at < woken + 1.0 for at in requests) <= min(2 * count, 5)
        states = {str(listener.watch.job.status) for listener in listeners}
        assert states == ({"completed"} if left < 3_600.0 else {"processing"})
        assert all(listener.watch.error is None for listener in listeners)
        if left > 3_600.0:
            # Of the 300 s about 110 were spent awake; the rest is still to come.
            await asyncio.sleep(180.0)
            assert not any(listener.watch.over for listener in listeners)
            await asyncio.sleep(40.0)
            assert all(isinstance(listener.watch.error, JobTimeoutError) for listener in listeners)
        await tracker.aclose()

    run(main())
