import pytest

from services.studio.rest import problems, refusals, tree


@pytest.fixture
def addresses():
    made = tree.Tree()
    for line in (
        "GET /v1/jobs",
        "POST /v1/jobs",
        "GET /v1/jobs/events",
        "GET /v1/jobs/{job_id}",
        "POST /v1/jobs/{job_id}:retry",
        "GET /v1/models/{model_id*}",
        "GET /v1/budgets:find",
    ):
        made.add(*line.split(" "), line)
    return made


@pytest.mark.parametrize(
    ("asked", "what", "told"),
    [
        ("GET /v1/jobs", "GET /v1/jobs", {}),
        ("HEAD /v1/jobs", "GET /v1/jobs", {}),
        ("GET /v1/jobs/", "GET /v1/jobs", {}),
        ("GET /v1/jobs/events", "GET /v1/jobs/events", {}),
        ("GET /v1/jobs/job_1", "GET /v1/jobs/{job_id}", {"job_id": "job_1"}),
        ("GET /v1/jobs/a%2Fb%20c", "GET /v1/jobs/{job_id}", {"job_id": "a/b c"}),
        ("POST /v1/jobs/job_1:retry", "POST /v1/jobs/{job_id}:retry", {"job_id": "job_1"}),
        ("POST /v1/jobs/job_1:%72etry", "POST /v1/jobs/{job_id}:retry", {"job_id": "job_1"}),
        ("GET /v1/jobs/a:b", "GET /v1/jobs/{job_id}", {"job_id": "a:b"}),
        ("GET /v1/models/sandbox/reel-1", "GET /v1/models/{model_id*}", {"model_id": "sandbox/reel-1"}),
        ("GET /v1/models/sandbox%2Freel-1", "GET /v1/models/{model_id*}", {"model_id": "sandbox/reel-1"}),
        ("GET /v1/budgets:find", "GET /v1/budgets:find", {}),
    ],
)
def test_an_address_is_found(addresses, asked, what, told):
    method, path = asked.split(" ")
    assert addresses.find(method, path.encode()) == (what, told)


@pytest.mark.parametrize(
    ("asked", "methods"),
    [
        ("PUT /v1/jobs", ["GET", "POST"]),
        ("GET /v1/jobs/job_1:retry", ["POST"]),
        ("GET /v1", []),
        ("GET /v1/jobs//x", []),
        ("GET /v1/nothing", []),
        ("GET /v1/budgets:lose", []),
    ],
)
def test_where_nothing_is_the_methods_are_told(addresses, asked, methods):
    method, path = asked.split(" ")
    assert addresses.find(method, path.encode()) == methods


def test_an_address_has_one_meaning(addresses):
    with pytest.raises(ValueError, match="twice"):
        addresses.add("GET", "/v1/jobs", "again")
    with pytest.raises(ValueError, match="stands there already"):
        addresses.add("GET", "/v1/jobs/{id}", "other name")


def test_a_limit_says_how_long_to_wait():
    facts = {"limit": "generate", "per_minute": "10"}
    told = problems.waits(refusals.Refusal(429, "CALLS_EXHAUSTED", "Wait.", facts, retry_after_s=5.2))
    assert told == {
        "retry-after": "6",
        "ratelimit-policy": '"generate";q=10;w=60',
        "ratelimit": '"generate";r=0;t=6',
    }


def test_fields_become_pointers():
    assert problems.pointer("scenes[2].duration") == "/scenes/2/duration"
    assert problems.pointer("scenes[scene_1].a/b") == "/scenes/scene_1/a~1b"
    assert problems.pointer("") == ""
