"""Two clients edit one storyboard at random, each from what it last saw: what is accepted stays, and nothing else.

With --hypothesis-profile=nights two write at the same time for a minute, five times over.
"""

import asyncio
import itertools
import random
import uuid
from collections import Counter
from typing import Any, NamedTuple

import grpc
import hypothesis
import pytest

from rushes.storyboard.v1 import storyboard_pb2 as pb
from services.storyboard import asks, diff, domain, wire
from tests.unit.storyboard import boards

STEPS = 60
NIGHT = hypothesis.settings.get_current_profile_name() == "nights"
NIGHT_S = 60.0
"""How long two write at the same time with --hypothesis-profile=nights; by day they take STEPS together."""
REFUSALS = (grpc.StatusCode.ABORTED, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND)


class Edit(NamedTuple):
    """What was accepted: the revision that its author had seen, the storyboard it made, and what must now be true."""

    seen: int
    made: pb.Storyboard
    truth: dict[Any, Any] | None


class Writer:
    """A client with its own, often stale, copy; `seen` is what it knows of the board."""

    def __init__(self, client, name, seen, chance):
        self.client, self.name, self.seen, self.chance = client, name, seen, chance
        self.refusals = Counter()

    async def look(self):
        self.seen = (await self.client("GetStoryboard", storyboard_id=self.seen.id)).storyboard

    async def act(self):
        """One edit at random: the board it made, and what must now be true; None when it was refused."""
        verb = self.chance.choice(
            [self.rename, self.rewrite, self.rewrite, self.add, self.remove, self.move, self.undo]
        )
        try:
            made, truth = await verb()
        except grpc.aio.AioRpcError as error:
            if error.code() not in REFUSALS:
                raise
            self.refusals[error.code()] += 1
            return None
        return made, truth

    def word(self):
        return f"{self.name} {self.chance.randrange(1000)}"

    def scene(self):
        return self.chance.choice(self.seen.scenes) if self.seen.scenes else pb.Scene(id="")

    async def call(self, verb, **fields):
        answer = await self.client(verb, subject=self.name, storyboard_id=self.seen.id, etag=self.seen.etag, **fields)
        return answer.storyboard

    async def rename(self):
        word = self.word()
        board = pb.Storyboard(id=self.seen.id, etag=self.seen.etag, name=word)
        answer = await self.client(
            "UpdateStoryboard", subject=self.name, storyboard=board, update_mask={"paths": ["name"]}
        )
        return answer.storyboard, {("name",): word}

    async def rewrite(self):
        if not self.seen.scenes:
            return await self.add()
        id, field, word = self.scene().id, self.chance.choice(["action", "mood"]), self.word()
        scene = pb.Scene(**{"id": id, field: word})
        made = await self.call("UpdateScene", scene=scene, update_mask={"paths": [field]})
        return made, {("scenes", id, field): word}

    async def add(self):
        word = self.word()
        answer = await self.client(
            "AddScene",
            subject=self.name,
            request_id=str(uuid.UUID(int=self.chance.getrandbits(128))),
            storyboard_id=self.seen.id,
            etag=self.seen.etag,
            scene=pb.Scene(subject=word, duration={"seconds": 4}),
            before_scene_id=self.scene().id if self.chance.random() < 0.5 else "",
        )
        return answer.storyboard, {("scenes", answer.scene_id, "subject"): word}

    async def remove(self):
        if not self.seen.scenes:
            return await self.add()
        id = self.scene().id
        return await self.call("RemoveScene", scene_id=id), {("scenes", id, None): None}

    async def move(self):
        if not self.seen.scenes:
            return await self.add()
        return await self.call("MoveScene", scene_id=self.scene().id, before_scene_id=self.scene().id), {}

    async def undo(self):
        return await self.call(self.chance.choice(["Undo", "Redo"])), None


def holds(board, truth):
    scenes = {scene.id: scene for scene in board.scenes}
    for path, word in truth.items():
        match path:
            case ("name",):
                assert board.name == word
            case (_, id, None):
                assert id not in scenes
            case (_, id, field):
                assert getattr(scenes[id], field) == word


def overrule(truths, made):
    """What was true before and is not touched by this stays true."""
    gone = {path[1] for path in made if path[-1] is None}
    kept = {path: word for path, word in truths.items() if len(path) == 1 or path[1] not in gone}
    return kept | made


def content(board):
    faults = wire.Faults()
    read = wire.content(board, faults)
    faults.end()
    return read


@pytest.mark.parametrize("seed", range(4))
async def test_no_update_is_lost_and_the_history_is_whole(client, seed):
    chance = random.Random(seed)
    board = await client.create(boards.the_letter())
    writers = [Writer(client, name, board, chance) for name in ("ada", "bo")]
    history, truths, refused = [board], {}, 0
    for _ in range(STEPS):
        writer = chance.choice(writers)
        if chance.random() < 0.3:
            await writer.look()
        done = await writer.act()
        if done is None:
            refused += 1
            await writer.look()
            continue
        made, truth = done
        if made.revision > history[-1].revision:
            history.append(made)
        truths = {} if truth is None else overrule(truths, truth)
        holds(made, truths)
        if chance.random() < 0.5:
            writer.seen = made
    assert [it.revision for it in history] == list(range(1, len(history) + 1))
    assert len(history) > STEPS / 3
    assert refused
    await replay(client, history)


async def replay(client, history):
    """Every revision is what was answered then, and its differences make it from the one before."""
    board, replayed = history[-1], domain.Content()
    for then in history:
        answer = await client("GetRevision", storyboard_id=board.id, number=then.revision)
        was = content(answer.revision.storyboard)
        assert was == content(then)
        replayed = diff.patched(replayed, diff.changes(replayed, was))
        assert replayed == was
    newest = (await client("GetStoryboard", storyboard_id=board.id)).storyboard
    assert newest == board
    assert asks.digest(newest) == asks.digest(board)


@pytest.mark.parametrize("seed", range(5 if NIGHT else 1))
async def test_two_who_write_at_the_same_time_lose_nothing(client, seed, record_property):
    board = await client.create(boards.the_letter())
    writers = [Writer(client, name, board, random.Random(f"{seed} {name}")) for name in ("ada", "bo")]
    until = asyncio.get_running_loop().time() + NIGHT_S
    edits = sorted(
        itertools.chain(*await asyncio.gather(*(written(writer, until) for writer in writers))),
        key=lambda edit: edit.made.revision,
    )
    history = accounted(board, edits)
    await replay(client, history)
    revisions = await all_revisions(client, board.id)
    assert [it.number for it in revisions] == list(range(len(history), 0, -1))
    assert {it.author for it in revisions} == {"ada", "bo"}
    refusals = sum((writer.refusals for writer in writers), Counter())
    merged = sum(edit.made.revision > edit.seen + 1 for edit in edits)
    assert merged
    assert refusals
    conflicts = ", ".join(f"{times} {code.name}" for code, times in refusals.items())
    steps = len(edits) + refusals.total()
    record_property(
        "figure", f"two writers, seed {seed}: {steps} steps, {len(history)} revisions, {merged} merged, {conflicts}"
    )


async def written(writer, until):
    """What was accepted of a writer's edits. Nobody is refused for a change of others that is not there."""
    edits, now = [], asyncio.get_running_loop().time
    for step in itertools.count():
        if now() > until if NIGHT else step == STEPS // 2:
            return edits
        if writer.chance.random() < 0.3:
            await writer.look()
        seen, stale = writer.seen.revision, writer.refusals[grpc.StatusCode.ABORTED]
        done = await writer.act()
        if done is None:
            await writer.look()
            assert writer.seen.revision > seen or writer.refusals[grpc.StatusCode.ABORTED] == stale
            continue
        edits.append(Edit(seen, *done))
        if writer.chance.random() < 0.5:
            writer.seen = edits[-1].made


def accounted(board, edits):
    """The storyboard after each edit: every revision is somebody's, and what is true stays true until it is changed.

    Of edits that end at one revision, one made it, and the others found what they wanted there.
    """
    history, contents, truths = [board], [content(board)], {}
    for revision, ended in itertools.groupby(edits, key=lambda edit: edit.made.revision):
        (made, *same), said = zip(*((edit.made, edit.truth) for edit in ended), strict=True)
        assert same == [made] * len(same)
        if None in said:
            assert content(made) in contents
            truths = {}
        for truth in said:
            truths = overrule(truths, truth or {})
        holds(made, truths)
        if revision == history[-1].revision:
            assert made == history[-1]
        else:
            history.append(made)
            contents.append(content(made))
    assert [it.revision for it in history] == list(range(1, len(history) + 1))
    return history


async def all_revisions(client, storyboard_id):
    revisions, token = [], ""
    while token or not revisions:
        page = await client("ListRevisions", storyboard_id=storyboard_id, page_token=token)
        revisions, token = [*revisions, *page.revisions], page.next_page_token
    return revisions


async def test_writers_at_the_same_time_each_keep_their_own_field(client):
    board = await client.create(boards.the_letter())
    fields = ("action", "mood", "camera", "lighting")

    async def write(field):
        seen = board
        for number in range(8):
            scene = pb.Scene(**{"id": board.scenes[0].id, field: f"{field} {number}"})
            answer = await client(
                "UpdateScene", storyboard_id=board.id, etag=seen.etag, scene=scene, update_mask={"paths": [field]}
            )
            seen = answer.storyboard

    await asyncio.gather(*map(write, fields))
    newest = (await client("GetStoryboard", storyboard_id=board.id)).storyboard
    assert [getattr(newest.scenes[0], field) for field in fields] == [f"{field} 7" for field in fields]
    assert newest.revision == 1 + 8 * len(fields)
    numbers = [it.number for it in (await client("ListRevisions", storyboard_id=board.id)).revisions]
    assert numbers == list(range(newest.revision, 0, -1))
