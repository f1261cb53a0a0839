import asyncio
from typing import Any

PAID = ["create", "done", "charge"]


async def test_a_job_may_be_unknown_at_first(speak: Any) -> None:
    client = speak("+hidden(2)")
    id = (await client.create()).json()["id"]
    assert [(await client.poll(id)).status_code for _ in range(4)] == [404, 404, 200, 200]


async def test_a_job_may_be_missing_from_lists_for_a_while(speak_openai: Any) -> None:
    client = speak_openai()
    seen = (await client.create()).json()["id"]
    late = (await client.create("[[list_lag(600)]] A boat.")).json()["id"]
    soon = (await client.create("[[list_lag(0.2)]] A boat.")).json()["id"]
    async with asyncio.timeout(20):
        while soon not in (listed := (await client.http.get("/v1/videos?limit=100")).text):
            pass
    assert (seen in listed, late in listed) == (True, False)
    assert (await client.poll(late)).status_code == 200


async def test_a_status_may_go_back(speak: Any) -> None:
    client = speak("+status_flap")
    id = (await client.create()).json()["id"]
    told = [(await client.poll(id)).json()["status"] for _ in range(4)]
    assert told == ["completed", "in_progress", "completed", "completed"]
    assert client.events() == ["post", *PAID]


async def test_a_success_may_be_empty(speak: Any) -> None:
    client = speak("+empty_success")
    id = (await client.create()).json()["id"]
    job = (await client.poll(id)).json()
    assert (job["status"], "steps" in job) == ("completed", False)
    assert (await client.download(id)).status_code == 404
    assert client.events() == ["post", *PAID]


async def test_moderation_at_the_end_has_the_shape_of_its_dialect(speak: Any) -> None:
    client = speak("+filtered")
    job = (await client.poll((await client.create()).json()["id"])).json()
    if "object" in job and job["object"] == "video":
        assert (job["status"], job["error"]["code"]) == ("failed", "moderation_blocked")
    else:
        assert (job["status"], "steps" in job, "errors" in job) == ("completed", False, False)
    assert client.events() == ["post", "create", "fail"]


async def test_failed_work_is_charged_or_not(speak: Any) -> None:
    for disaster, events in (("fails", ["create", "fail"]), ("fails_charged", ["create", "fail", "charge"])):
        client = speak(f"+{disaster}")
        id = (await client.create()).json()["id"]
        job = (await client.poll(id)).json()
        fault = job.get("error") or job["errors"][0]
        assert (job["status"], fault["code"]) in [("failed", "render_failed"), ("failed", "internal")]
        assert client.events() == ["post", *events]


async def test_work_may_be_slow(speak: Any) -> None:
    client = speak("+slow(0.3)")
    created = (await client.create()).json()
    assert (created["status"], client.events()) == ("in_progress", ["post", "create"])
    assert (await client.ended(created["id"]))["status"] == "completed"
    assert client.events() == ["post", *PAID]


async def test_work_may_never_end_and_can_still_be_stopped(speak: Any) -> None:
    client = speak("+never_done")
    id = (await client.create()).json()["id"]
    assert (await client.poll(id)).json()["status"] == "in_progress"
    assert (await client.cancel(id)).status_code == 200
    assert client.events()[:2] == ["post", "create"]
    assert client.events()[2:] in (["cancel"], ["delete"])


async def test_a_price_may_differ_from_the_list(speak: Any) -> None:
    for factor in ("3", "-1", "0"):
        client = speak(f"+price({factor})")
        job = (await client.create()).json()
        charge = client.lines()[-1]
        list_price = 100_000 * charge["seconds"]
        assert (charge["event"], charge["micros"]) == ("charge", float(factor) * list_price)
        if "usage" in job:
            assert job["usage"]["total_output_tokens"] == float(factor) * charge["seconds"] * 5_792


async def test_a_cancel_stops_the_work_before_it_costs(speak: Any) -> None:
    client, witness = speak("+slow(0.3)"), speak("+slow(0.4)")
    id = (await client.create()).json()["id"]
    after = (await witness.create()).json()["id"]
    assert (await client.cancel(id)).status_code == 200
    await witness.ended(after)
    assert client.events()[1:] in (["create", "cancel"], ["create", "delete"])


async def test_a_cancel_may_be_ignored(speak: Any) -> None:
    client = speak("+slow(0.3)+cancel_ignored")
    id = (await client.create()).json()["id"]
    assert (await client.cancel(id)).status_code == 200
    await client.until("charge")
    assert [event for event in client.events() if event != "delete"] == ["post", *PAID]


async def test_a_cancel_may_be_charged(speak: Any) -> None:
    client = speak("+never_done+cancel_charged")
    id = (await client.create()).json()["id"]
    assert (await client.cancel(id)).status_code == 200
    assert (await client.cancel(id)).status_code in (200, 404)
    assert client.events()[2:] in (["cancel", "charge"], ["delete", "charge"])
