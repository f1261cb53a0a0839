"""The language model that costs nothing, asked with the SDK that everybody uses."""

import json

import openai
import pytest

SCRIPT = "Mara climbs.\n\nThe lamp goes out, and nobody moves."


@pytest.fixture
async def sdk(lent):
    async with openai.AsyncOpenAI(api_key="any", base_url=f"{lent.url}/v1", max_retries=0) as client:
        yield client


async def said(sdk, text, schema=None, **more):
    format = {"type": "json_schema", "json_schema": {"name": schema, "schema": {}}}
    options = {"response_format": format} if schema else {}
    messages = [{"role": "system", "content": "Be short."}, {"role": "user", "content": text}]
    answer = await sdk.chat.completions.create(model="sandbox-writer-1", messages=messages, **options, **more)
    return answer.choices[0].message.content


async def test_a_script_is_a_scene_for_each_paragraph_every_time(sdk):
    material = json.dumps({"script": SCRIPT, "most_scenes": 9, "characters": [{"name": "Mara"}]})
    first = await said(sdk, material, "scenes")
    assert first == await said(sdk, material, "scenes")
    scenes = json.loads(first)["scenes"]
    assert [(it["subject"], it["cast"], it["duration"]) for it in scenes] == [
        ("Mara climbs", ["Mara"], 2), ("The lamp goes out", [], 2)
    ]  # fmt: skip
    fewer = json.loads(await said(sdk, json.dumps({"script": SCRIPT, "most_scenes": 1}), "scenes"))
    assert len(fewer["scenes"]) == 1


async def test_a_scene_is_told_again_with_the_instruction(sdk):
    material = {"scene": {"action": "runs", "camera": ""}, "instruction": "in rain"}
    words = json.loads(await said(sdk, json.dumps(material), "scene"))
    assert words == {"action": "runs in rain", "camera": "medium shot at eye level, 50 mm, static"}


async def test_a_brace_is_answered_as_it_stands_and_other_talk_is_an_echo(sdk):
    assert await said(sdk, json.dumps({"script": "{no json"}), "scenes") == "{no json"
    assert await said(sdk, json.dumps({"script": '{"a": "\ud800"}'}), "scenes") == '{"a": "?"}'
    assert await said(sdk, "Hello") == "Hello"


async def test_what_cannot_be_answered_is_refused(sdk):
    with pytest.raises(openai.BadRequestError):
        await sdk.chat.completions.create(model="x", messages=[])
    with pytest.raises(openai.AuthenticationError):
        await said(sdk, "x", extra_headers={"authorization": "Basic any"})
    with pytest.raises(openai.RateLimitError):
        await said(sdk, "x", extra_headers={"authorization": "Bearer any+throttled"})
    with pytest.raises(openai.BadRequestError, match="no disaster"):
        await said(sdk, "x", extra_headers={"authorization": "Bearer any+nonsense"})
