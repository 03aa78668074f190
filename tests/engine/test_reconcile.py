"""A lost answer: its job is found once, or the error says what is known, and nothing is submitted twice."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import nested
from virtual import run

from novakit_widgets.api.bodies import jobs_of
from novakit_widgets.engine.matching import CLOCK_SKEW
from novakit_widgets.engine.ownership import SharedLists
from novakit_widgets.engine.reconcile import Question, look_up_entries, reconcile
from novakit_widgets.engine.submit import look_up
from novakit_widgets.errors import (
    APIError,
    AuthenticationError,
    NotFoundError,
    NovaKitConnectionError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    SubmissionUncertainError,
    UnreadableAnswerError,
)
from novakit_widgets.job_history.jobs import JobHistory
from novakit_widgets.model.canonical import same
from novakit_widgets.model.job import Job, JobStatus
from novakit_widgets.model.parameters import PARAMETERS
from novakit_widgets.model.rate_limit import RateLimit
from novakit_widgets.model.tools import Tool
from novakit_widgets.runtime.clock import Clock

START = datetime(2025, 6, 1, 10, tzinfo=timezone.utc)
PARAMS = {"prompt": "A sunset", "duration_seconds": 5}
LOST = SubmissionUncertainError("The answer was lost.", 502, {"error": "x"})


def job_of(job_id="job_1", params=PARAMS, *, created=0.0, status=JobStatus.PENDING):
    """A job as the list shows it, created so many seconds after we asked."""
    at = None if created is None else START + timedelta(seconds=created)
    return Job(job_id, status, tool="video", params=params, created_at=at)


class Service:
    """A list that changes: from each moment on, a tuple of jobs or an error."""

    base_url = "https://novakit.example"

    def __init__(self, *stages):
        self.account = secrets.token_hex(8)  # one of its own: a job that is taken once is not free again
        self.stages = stages
        self.asked = []

    async def list(self, *, tool=None, limit=None):
        now = asyncio.get_running_loop().time()
        self.asked.append((now, tool, limit))
        await asyncio.sleep(0.02)
        shown = [what for since, what in self.stages if since <= now][-1]
        if isinstance(shown, Exception):
            raise shown
        return shown


def looked_up(service, *, known=(), params=PARAMS, tool=Tool.VIDEO):
    """Look up a lost submission in virtual time; return the job or the error, and how long it took."""

    async def main():
        loop = asyncio.get_running_loop()
        clock = Clock(
            now=lambda: START + timedelta(seconds=loop.time()),
            monotonic=loop.time,
            sleep=asyncio.sleep,
            random=lambda: 0.5,
        )
        try:
            history, question = JobHistory(None), Question(tool, params, START)
            found = await look_up(service, question, LOST, history=history, known=known, clock=clock)
        except SubmissionUncertainError as error:
            return error, loop.time()
        return found, loop.time()

    return run(main())


def test_look_up_with_one_match_returns_it():
    """One job with our parameters, created since the POST, is found at once with one request."""
    service = Service((0.0, (job_of("job_2", {"prompt": "another"}), job_of(), job_of("job_0", created=-3600.0))))
    found, seconds = looked_up(service)
    assert found.id == "job_1"
    assert seconds < 1.0
    assert service.asked == [(0.0, Tool.VIDEO, 100)]


@pytest.mark.parametrize("status", [*JobStatus, "queued_somewhere"])
def test_look_up_finds_a_job_of_any_status(status):
    """The job may have ended before the look-up."""
    found, _ = looked_up(Service((0.0, (job_of(status=status),))))
    assert found.status == status


def test_look_up_finds_a_job_that_appears_late():
    """A request that was still on its way in is found by the second or third list."""
    for appears in (1.0, 6.0):
        found, seconds = looked_up(Service((0.0, ()), (appears, (job_of(),))))
        assert found.id == "job_1"
        assert seconds < 8.0


def test_look_up_without_a_match_says_probably_not_started():
    """After several lists, the error says so and keeps the answer of the POST."""
    service = Service((0.0, (job_of("job_2", {"prompt": "another"}), job_of("job_3", None, created=-3600.0))))
    error, seconds = looked_up(service)
    assert isinstance(error, SubmissionUncertainError)
    assert error.candidates == ()
    assert (error.status_code, error.response) == (502, {"error": "x"})
    assert "not started" in str(error)
    assert len(service.asked) == 3
    assert 5.0 < seconds < 15.0


def listing(*jobs):
    """A list as the service sends it."""
    return jobs_of({"jobs": [{"id": "job_1", "status": "pending", "inputParams": {}, **job} for job in jobs]})


FULL = tuple(job_of(f"job_{n}", {"prompt": f"class work {n}"}, created=200.0 - n) for n in range(100))


@pytest.mark.parametrize(
    ("jobs", "reason"),
    [
        ((job_of("job_3", None),), "does not say what job_3 was made of"),
        ((job_of("job_3", None, created=None),), "does not say what job_3"),
        (FULL, "only the newest 100 video jobs"),
        ((*FULL[:-1], job_of("job_99", {"prompt": "early"}, created=None)), "only the newest 100"),
        (FULL[::-1], "only the newest 100"),
        ((job_of("job_0", {"prompt": "x"}, created=-9_000.0), *FULL[:98], FULL[98]), "only the newest 100"),
        (listing({"status": None}), "entries that can't be read (1)"),
        (
            (job_of(created=-3600.0),),
            "job_1 has the same parameters and belongs to no known submission",
        ),  # our clock may be ahead
    ],
)
def test_look_up_with_an_incomplete_list_is_uncertain(jobs, reason):
    """A full list, or one without the parameters of a job, does not show that nothing was started."""
    error, _ = looked_up(Service((0.0, jobs)))
    assert isinstance(error, SubmissionUncertainError)
    assert reason in str(error)
    assert "it may run" in str(error)
    assert "not started" not in str(error)


@pytest.mark.parametrize("tool", [Tool.TTS, Tool.STT])
def test_look_up_of_a_tool_that_answers_at_once_is_uncertain(tool):
    """Such a generation is billed without a job, so an empty list shows nothing."""
    error, _ = looked_up(Service((0.0, ())), tool=tool)
    assert f"a {tool} request can be answered and billed at once" in str(error)
    assert "not started" not in str(error)
    others = (job_of("job_2", {"input": "Something else"}),)
    error, _ = looked_up(Service((0.0, others)), tool=tool, params={"input": "Hello"})
    assert "most probably it was not started" in str(error)


@pytest.mark.parametrize(
    "jobs",
    [
        FULL[:99],
        (job_of(created=-2 * 86_400.0),),
        (*FULL[:99], job_of("job_0", {"prompt": "early"}, created=-301.0)),
        (job_of("job_3", None, created=-301.0), job_of("job_4", {"prompt": "x"})),
        (job_of("job_3", {"prompt": "A sunset", "extra": nested(600)}),),
    ],
)
def test_look_up_with_a_list_that_reaches_back_is_certain(jobs):
    """A list that reaches back to before the POST shows every possible job."""
    error, _ = looked_up(Service((0.0, jobs)))
    assert "most probably it was not started" in str(error)


def test_look_up_ignores_known_jobs_without_parameters():
    """A job of another submission needs no parameters to be told apart."""
    error, _ = looked_up(Service((0.0, (job_of("job_3", None),))), known={"job_3"})
    assert "most probably it was not started" in str(error)


def test_look_up_with_several_matches_names_them():
    """Equal jobs are all named, newest first, and none is taken."""
    error, _ = looked_up(Service((0.0, (job_of("job_2", created=2.0), job_of("job_1")))))
    assert [job.id for job in error.candidates] == ["job_2", "job_1"]
    assert "job_2, job_1" in str(error)
    assert "nk.attach" in str(error)


def test_look_up_ignores_jobs_of_others():
    """Jobs of other submissions are left out, so that one match may remain."""
    service = Service((0.0, (job_of("job_2", created=2.0), job_of("job_1"))))
    found, _ = looked_up(service, known={"job_2"})
    assert found.id == "job_1"
    error, _ = looked_up(service, known={"job_2", "job_1"})
    assert error.candidates == ()


@pytest.mark.parametrize(
    ("created", "counts"),
    [
        (0.0, True),
        (-240.0, True),  # the service's clock is behind ours
        (3600.0, True),  # or far ahead
        (-CLOCK_SKEW.total_seconds(), True),
        (-CLOCK_SKEW.total_seconds() - 1, False),
        (None, True),  # unknown
    ],
)
def test_look_up_allows_for_clock_skew(created, counts):
    """A job that seems somewhat older than our POST may match; one of yesterday does not."""
    found, _ = looked_up(Service((0.0, (job_of(created=created),))))
    assert (getattr(found, "id", None) == "job_1") is counts


@pytest.mark.parametrize("hours", [-5, 3, 48])
@pytest.mark.parametrize(("created", "counts"), [(1.0, True), (-3600.0, False)])
def test_look_up_with_a_wrong_clock_compares_times_of_the_service(hours, created, counts):
    """Where the service's answers tell how the clocks differ, our job is found, and an older equal one is not taken for it."""
    service = Service((0.0, (job_of(created=created - hours * 3600.0),)))
    service.rate_limit = RateLimit(30, ahead=hours * 3600.0)
    found, _ = looked_up(service)
    assert (getattr(found, "id", None) == "job_1") is counts


@pytest.mark.parametrize("error", [NovaKitConnectionError("down"), APIError("x", 500), RateLimitError("x", 429)])
def test_look_up_retries_a_failing_list(error):
    """It retries with back-off until it gets the list."""
    service = Service((0.0, error), (40.0, (job_of(),)))
    found, seconds = looked_up(service)
    assert found.id == "job_1"
    assert 40.0 <= seconds < 75.0
    assert len(service.asked) < 12


def test_look_up_gives_up_on_a_failing_list():
    """After two minutes the error says why there is no list."""
    error, seconds = looked_up(Service((0.0, NovaKitConnectionError("The network is down."))))
    assert "The network is down." in str(error)
    assert "may run" in str(error)
    assert 120.0 <= seconds < 160.0


@pytest.mark.parametrize(
    "error",
    [AuthenticationError("x", 401), PermissionDeniedError("x", 403), NotFoundError("x", 404), APIError("x", 400)],
)
def test_look_up_does_not_retry_a_denied_list(error):
    """A denied list is requested once."""
    service = Service((0.0, error))
    found, seconds = looked_up(service)
    assert isinstance(found, SubmissionUncertainError)
    assert len(service.asked) == 1
    assert seconds < 1.0


def test_look_up_retries_an_unreadable_list():
    """A captive portal may go away."""
    found, _ = looked_up(Service((0.0, UnreadableAnswerError("x", 200)), (10.0, (job_of(),))))
    assert found.id == "job_1"


class WithFiles(Service):
    """A service whose jobs have files: of more than so many in one list the answer is too long to be read."""

    def __init__(self, most, jobs):
        super().__init__((0.0, jobs))
        self.most = most

    async def list(self, *, tool=None, limit=None):
        shown = (await super().list(tool=tool, limit=limit))[:limit]
        if len(shown) > self.most:
            error = UnreadableAnswerError("longer than any that makes sense", 200)
            error.too_long = True
            raise error
        return shown

    @property
    def limits(self):
        return [limit for _, _, limit in self.asked]


@pytest.mark.parametrize(("most", "limits"), [(30, [100, 20]), (5, [100, 20, 5]), (1, [100, 20, 5, 1])])
def test_look_up_shortens_a_list_that_is_too_long(most, limits):
    """It would be too long again, so a shorter one is requested at once."""
    service = WithFiles(most, (job_of("job_100", created=300.0), *FULL))
    found, seconds = looked_up(service)
    assert found.id == "job_100"
    assert service.limits == limits
    assert seconds < 1.0


@pytest.mark.parametrize(
    ("most", "named"), [(20, "newest 20 video jobs"), (4, "newest video job"), (1, "newest video job")]
)
def test_look_up_with_a_shorter_list_is_uncertain(most, named):
    """It may leave out the job. The next list begins with the shorter length."""
    service = WithFiles(most, (*FULL[:99], job_of("job_0", {"prompt": "early"}, created=-301.0)))
    error, _ = looked_up(service)
    assert f"more than the {named} are too long to be read" in str(error)
    assert "not started" not in str(error)
    assert service.limits[-2:] == [service.limits[-1]] * 2


def test_look_up_with_a_shorter_list_that_reaches_back_is_certain():
    """Its oldest job was created before our POST."""
    jobs = tuple(job_of(f"job_{n}", {"prompt": f"work {n}"}, created=-301.0 - n) for n in range(100))
    error, _ = looked_up(WithFiles(20, jobs))
    assert "most probably it was not started" in str(error)
    # In which order the jobs are can't be seen of one.
    error, _ = looked_up(WithFiles(1, jobs))
    assert "not started" not in str(error)


def test_look_up_gives_up_on_one_job_that_is_too_long():
    """It stays too long, so the error comes at once."""
    service = WithFiles(0, (job_of(),))
    error, seconds = looked_up(service)
    assert "so far it can't be looked up" in str(error)
    assert service.limits == [100, 20, 5, 1]
    assert seconds < 1.0


async def test_shared_lists_of_different_lengths_are_separate(client):
    """A caller that asks for more jobs does not get the shorter list that another waits for."""
    for number in range(3):
        await client.submit("music", {"prompt": f"tune {number}"})
    lists = SharedLists(client)
    one, more, same_one = await asyncio.gather(*(lists.list(tool=Tool.MUSIC, limit=limit) for limit in (1, 3, 1)))
    assert (len(one), len(more), len(same_one)) == (1, 3, 1)
    assert one is same_one


def reconciled(service, history, count):
    """Reconcile equal lost submissions in virtual time."""
    intents = [history.begin(Tool.VIDEO, PARAMS, base_url=service.base_url) or str(n) for n in range(count)]
    questions = [Question(Tool.VIDEO, PARAMS, START, intent) for intent in intents]
    return run(reconcile(service, history, questions))


class Contested(JobHistory):
    """A history in which another process takes the first job before us."""

    def __init__(self):
        super().__init__(None)
        self.ours = 0

    def claim(self, intent, job, *, base_url):
        self.ours += 1
        return self.ours > 1


def test_reconcile_gives_equal_submissions_a_job_each():
    """The oldest job goes to the oldest submission, with one list for all; the rest never started."""
    service = Service((0.0, (job_of("job_2", created=2.0), job_of("job_1"))))
    one, two, three = reconciled(service, JobHistory(None), 3)
    assert [one.job.id, two.job.id] == ["job_1", "job_2"]
    assert (three.job, three.doubt, three.uncertainty) == (None, "", None)
    assert len(service.asked) == 1


def test_reconcile_looks_again_for_a_job_taken_meanwhile():
    """Another process takes job_1 after the list came: its submission gets the job that the next list shows."""
    shown = (job_of("job_2", created=2.0), job_of("job_1"))
    service = Service((0.0, shown), (0.01, (job_of("job_3", created=3.0), *shown)))
    one, two = reconciled(service, Contested(), 2)
    assert [one.job.id, two.job.id] == ["job_3", "job_2"]


async def test_reconcile_counts_other_lost_submissions(client, tmp_path):
    """Two jobs are no riddle where another equal submission was lost as well: the asked one takes the oldest."""
    history = JobHistory(tmp_path / "history.sqlite3")
    for _ in range(2):
        await client.submit("video", PARAMS)
        intent = history.begin(Tool.VIDEO, PARAMS, base_url=client.base_url, account=client.account)
        history.uncertain(intent, "its answer was lost")
    first, second = history.lost()
    findings = await look_up_entries(client, history, [first])
    assert (len(findings.found), findings.unclear) == (1, ())
    assert history.lost() == [second]
    assert {job.id for job in (await look_up_entries(client, history, [second])).found}.isdisjoint(
        job.id for job in findings.found
    )


async def test_look_up_entries_of_a_newer_tool_is_unclear(client, tmp_path):
    """Nothing is requested for it, and it stays for a newer version."""
    history = JobHistory(tmp_path / "history.sqlite3")
    history.begin(Tool.VIDEO, PARAMS, base_url=client.base_url)
    (entry,) = history.entries()
    findings = await look_up_entries(client, history, [replace(entry, tool="hologram")])
    assert findings.unclear[0].intent == entry.intent
    assert findings.reasons == ("its tool is newer than this package",)


@pytest.mark.parametrize(
    ("theirs", "alike"),
    [
        ({"prompt": "A sunset", "duration_seconds": 5}, True),
        ({"duration_seconds": 5.0, "prompt": "A sunset"}, True),
        ({"prompt": "A sunset"}, True),
        ({"prompt": "A sunset", "fps": 30, "resolution": "720p", "seed": None, "loop": False}, True),
        ({"prompt": "A sunset", "fps": 60}, False),
        ({"prompt": "A Sunset"}, False),
        ({"prompt": "A sunset", "extra": 1}, False),
        ({"prompt": "A sunset", "duration_seconds": 6}, False),
        ({}, False),
    ],
)
def test_same_ignores_order_number_type_and_defaults(theirs, alike):
    """5 equals 5.0, order does not matter, and a documented default equals an omitted parameter."""
    assert same(Tool.VIDEO, PARAMS, theirs) is alike
    assert same(Tool.VIDEO, theirs, PARAMS) is alike


def test_same_compares_nested_numbers():
    """Also numbers inside lists and objects."""
    ours = {"file": "x", "timestamp_granularities": ("segment",), "model_inputs": {"a": [1.0, {"b": 2}]}}
    assert same(Tool.STT, ours, {"file": "x", "model_inputs": {"a": [1, {"b": 2.0}]}})
    assert not same(Tool.STT, ours, {"file": "x", "model_inputs": {"a": [1, {"b": 3}]}})


@given(
    tool=st.sampled_from(Tool),
    extra=st.dictionaries(
        st.text(max_size=5) | st.integers(), st.integers() | st.floats(allow_nan=False) | st.text(), max_size=4
    ),
)
def test_same_is_reflexive(tool, extra):
    """Also for parameters that came back as JSON, and with explicit defaults."""
    defaults = {name: one.default for name, one in PARAMETERS[tool].items()}
    assert same(tool, extra, dict(reversed(extra.items())))
    assert same(tool, {**defaults, **extra}, {**defaults, **extra})
    unheard_of = {name: value for name, value in extra.items() if name not in defaults}
    assert same(tool, unheard_of, {**defaults, **unheard_of})


async def test_submit_refused_raises_without_a_look_up(client, sandbox):
    """A refusal is raised as it is, and no list is requested."""
    from novakit_widgets.engine.run import JobRun
    from novakit_widgets.sandbox import Fault

    sandbox.inject(Fault.status(402), method="POST")
    before = len(sandbox.requests)
    with pytest.raises(QuotaExceededError):
        await JobRun(Tool.IMAGE, {"prompt": "x"}, client=client).wait()
    assert [request.method for request in sandbox.requests[before:]] == ["POST"]
