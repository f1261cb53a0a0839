import asyncio
from typing import Any

import httpx
import pytest

PAID = ["create", "done", "charge"]


async def test_without_a_disaster_a_post_is_a_create_and_a_charge(speak: Any) -> None:
    client = speak()
    assert (await client.create()).status_code == 200
    assert client.events() == ["post", *PAID]
    post = client.lines()[0]
    assert (post["client_ref"], post["id"], post["micros"]) == ("sub_1", None, 0)
    assert post["path"] in ("/v1/videos", "/v1/interactions")


async def test_a_dropped_reply_is_a_paid_create(speak: Any) -> None:
    client = speak("+drop_reply(1)")
    with pytest.raises(httpx.RemoteProtocolError):
        await client.create()
    assert client.events() == ["post", *PAID]
    assert (await client.create()).status_code == 200
    with pytest.raises(httpx.RemoteProtocolError):
        await client.create(ref="sub_2")


async def test_a_dropped_reply_is_heard_when_the_create_is_repeated_under_its_key(speak_openai: Any) -> None:
    client = speak_openai("+drop_reply(1)")
    client.http.headers["idempotency-key"] = "sub_1"
    with pytest.raises(httpx.RemoteProtocolError):
        await client.create()
    again = await client.create()
    assert again.json()["id"] == client.lines()[1]["id"]
    assert client.events() == ["post", *PAID, "post"]


async def test_a_late_create_comes_after_its_connection_is_gone(speak: Any) -> None:
    client = speak("+late_create(0.3)")
    with pytest.raises(httpx.RemoteProtocolError):
        await client.create()
    assert client.events() == ["post"]
    await client.until("charge")
    assert client.events() == ["post", *PAID]


async def test_an_error_after_the_create_is_a_paid_create(speak: Any) -> None:
    client = speak()
    answer = await client.create("A boat. [[error_after_create]]")
    assert (answer.status_code, "id" in answer.json()) == (500, False)
    assert client.events() == ["post", *PAID]


async def test_a_busy_server_takes_nothing_for_a_while(speak: Any) -> None:
    client = speak("+busy(2)")
    assert [(await client.create()).status_code for _ in range(3)] == [503, 503, 200]
    assert client.events() == ["post", "post", "post", *PAID]
    assert (await client.create(ref="sub_2")).status_code == 503


THROTTLED = {
    "seconds": ("retry-after", "2"),
    "date": ("retry-after", "GMT"),
    "ms": ("retry-after-ms", "2000"),
    "absurd": ("retry-after", "31536000"),
}


@pytest.mark.parametrize("form", ["seconds", "date", "ms", "google", "text", "absurd", "none"])
async def test_too_many_requests_say_how_long_in_every_form(speak: Any, form: str) -> None:
    client = speak(f"+throttled({form},2)")
    answers = [await client.create() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    where, what = THROTTLED.get(form, ("", ""))
    said = {name: value for name, value in answers[0].headers.items() if name.startswith("retry-after")}
    assert what in said.pop(where, "")
    assert said == {}
    assert ("~2s" in answers[0].text) == (form == "text")
    assert client.events() == ["post", "post", "post", *PAID]


async def test_google_says_how_long_in_the_body(speak_google: Any) -> None:
    fault = (await speak_google("+throttled(google)").create()).json()["error"]
    assert (fault["code"], fault["details"][0]["retryDelay"]) == ("too_many_requests", "2s")


async def test_an_answer_without_an_id_is_a_paid_create(speak: Any) -> None:
    client = speak("+id_missing")
    answer = await client.create()
    id = client.lines()[1]["id"]
    assert answer.status_code == 200
    assert id.partition("_")[2] not in answer.text
    assert answer.json()["status"] == "completed"
    assert (await client.poll(id)).json()["id"] == id


async def test_an_id_may_be_that_of_the_job_before(speak: Any) -> None:
    client = speak()
    first = (await client.create()).json()["id"]
    second = (await client.create("[[id_collision]] A ship.")).json()["id"]
    assert first == second
    assert client.events() == ["post", *PAID, "post", *PAID]


async def test_a_create_may_be_made_twice(speak: Any) -> None:
    client = speak("+duplicate_create")
    assert (await client.create()).status_code == 200
    assert client.events() == ["post", *PAID, *PAID]
    assert len({line["id"] for line in client.lines()}) == 3


@pytest.mark.parametrize(("disaster", "status"), [("refused", 400), ("gone", 404), ("gone(410)", 410)])
async def test_a_refusal_creates_nothing_and_old_jobs_go_on(speak: Any, disaster: str, status: int) -> None:
    client = speak()
    id = (await client.create()).json()["id"]
    answer = await client.create(f"A boat. [[{disaster}]]")
    assert answer.status_code == status
    assert ("is no longer available" in answer.text) == disaster.startswith("gone")
    assert client.events() == ["post", *PAID, "post"]
    assert (await client.poll(id)).json()["status"] == "completed"
    assert (await client.download(id)).status_code == 200


async def test_an_error_may_come_with_status_200(speak: Any) -> None:
    client = speak("+error_json_200")
    answer = await client.create()
    assert (answer.status_code, list(answer.json())) == (200, ["error"])
    assert client.events() == ["post"]


async def test_a_key_may_be_revoked_under_a_running_job(speak: Any) -> None:
    client = speak("+key_revoked")
    created = await client.create()
    id = created.json()["id"]
    after = [await client.poll(id), await client.download(id), await client.create()]
    assert [answer.status_code for answer in (created, *after)] == [200, 401, 401, 401]
    assert client.events() == ["post", *PAID]


async def test_a_disaster_that_is_not_known_is_refused(speak: Any) -> None:
    client = speak("+flood")
    answer = await client.create()
    assert answer.status_code == 400
    assert "drop_reply" in answer.json()["error"]["message"]
    assert client.events() == ["post"]


async def test_a_create_that_is_refused_was_still_a_post(lent: Any, speak: Any) -> None:
    client = speak()
    path = "/v1/videos" if "authorization" in client.http.headers else "/v1/interactions"
    for content in (b"{", b'{"prompt": "", "input": ""}'):
        answer = await client.http.post(
            path, content=content, headers={"content-type": "application/json", "x-client-request-id": client.key}
        )
        assert answer.status_code in (400, 404)
    lines = [line for line in lent.everything() if line["client_ref"] == client.key]
    assert [line["event"] for line in lines] == ["post", "post"]


async def test_what_is_painted_does_not_show_the_disaster(sandbox: Any) -> None:
    digests = []
    async with httpx.AsyncClient(base_url=sandbox.url, headers={"authorization": "Bearer key"}) as http:
        for prompt in ("A boat.", "A boat. [[price(2)]]"):
            asked = {"prompt": prompt, "seconds": "1", "size": "320x180"}
            created = (await http.post("/v1/videos", data=asked)).json()
            assert created["prompt"] == prompt
            async with asyncio.timeout(20):
                while not (job := await http.get(f"/v1/videos/{created['id']}/content")).is_success:
                    assert job.status_code == 409
            digests.append(job.headers["etag"])
    assert digests[0] == digests[1]
    assert [line["micros"] for line in sandbox.ledger() if line["event"] == "charge"] == [100_000, 200_000]
