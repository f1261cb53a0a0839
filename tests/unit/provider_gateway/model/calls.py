"""One paid call with its provider, its senders and the network between them, and everything that can happen to it."""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from typing import Literal, NamedTuple

from services.provider_gateway import budgets, domain, lifecycle
from tests.unit.provider_gateway.model import protocol
from tests.unit.provider_gateway.model.protocol import AGES, BORN, CLIP, HELD, LAG, NAME, UNSENT, S

WORKERS = 2
UNDER_WAY = 2
"""Of one call, on the network at once: a third adds nothing."""

Job = Literal["", "refused", "alive", "gone", "failed", "failed and charged"]
"""What the provider has of it: nothing, a refusal that it will repeat, what is or will be paid, the same without its
clip, or what failed."""

NOTHING = ("", "refused")
PAID = ("alive", "gone")


@dataclasses.dataclass(frozen=True)
class Config:
    """A provider, and how often the worst may happen."""

    name: str
    attempts: int = 2
    crashes: int = 1
    expiries: int = 1
    cancels: int = 1
    parks: int = 0
    persons: int = 0
    losses: int = 0
    lookup: Literal["none", "weak", "strong"] = "strong"
    window: timedelta = timedelta()
    short_lived: bool = False
    tells_expiry: bool = True
    sleeps_past_window: bool = False
    refusals_differ: bool = False
    lookup_errs: bool = False
    person_errs: bool = False


class Task(NamedTuple):
    """What a worker is about with the call, the state it was claimed in, and how good the hold is.

    The hold is 2 under a lease, 1 when that ran out, and 0 once another has claimed the call. `was_answered`: the first
    exchange had ended when this one was claimed. Polls, lookups and downloads are over in one move: whoever is late
    with those has no say and does no harm.
    """

    state: domain.State
    does: Literal["sends", "repeats", "waits", "knows", "is sure"]
    hold: int
    was_answered: bool = False


class Call(NamedTuple):
    """One attempt: its row, how long ago it was sent (in AGES), its money, and what is true of it outside.

    `is_named`: evidence names the provider's job. `is_listed`: the job is old enough for every lookup. `is_lost`: the
    provider does not know its own id any more.
    """

    row: int
    age: int
    money: tuple[int, int, int]
    is_named: bool = False
    is_flagged: bool = False
    creates: int = 0
    in_flight: int = 0
    job: Job = ""
    is_listed: bool = False
    is_lost: bool = False
    tasks: tuple[Task, ...] = ()
    broken: str = ""


class Move(NamedTuple):
    """Something happens: what it is, what becomes of the call, what the job service hears, and what it uses up."""

    label: str
    after: Call
    said: str = ""
    uses: Literal["", "crashes", "expiries", "parks", "persons", "losses"] = ""


class Calls:
    """What can happen to one call in one configuration."""

    def __init__(self, config: Config, rules: protocol.Protocol) -> None:
        self.config, self.rules, self.rows = config, rules, protocol.Rows(rules)

    def state(self, call: Call) -> domain.State:
        """Where the database says that it stands."""
        return self.rows[call.row].state

    def ordered(self, attempt: int, is_parked: bool) -> Call:
        """An order comes in and has its money, or waits for it."""
        intent = protocol.order(attempt)
        if is_parked:
            waits = dataclasses.replace(intent, state=S.PARKED, fault=protocol.NO_MONEY)
            return Call(self.rows.number(waits), 0, (0, 0, 0))
        held = budgets.reservation(intent)
        return Call(self.rows.number(intent), 0, (held.reserved, held.spent, held.suspense))

    def withdrawn(self, call: Call) -> Move:
        """The cancel is heard: free where nothing was sent."""
        return self._decided("cancel", call, "canceled") if self.state(call) in UNSENT else Move("cancel", call)

    def moves(self, call: Call, is_cancelled: bool) -> Iterator[Move]:
        """Everything that can happen next."""
        yield from self._claims(call, is_cancelled)
        for number, task in enumerate(call.tasks):
            rest = call._replace(tasks=call.tasks[:number] + call.tasks[number + 1 :])
            yield from self._faults(rest, task)
            yield from self._works(rest, task)
        yield from self._network(call)
        yield from self._people(call)
        yield from self._time(call)

    # What claiming leads to.

    def _claims(self, call: Call, is_cancelled: bool) -> Iterator[Move]:
        state = self.state(call)
        if state is S.SENDING and not self.rules.begins_once and len(call.tasks) == 1:
            yield Move("begin", _with(call, Task(S.SENDING, "sends", 2)))
        if any(task.hold == 2 for task in call.tasks) or state in domain.FINAL:
            return
        if state is S.INTENT:
            yield self._begun(call, is_cancelled)
            if AGES[call.age] > lifecycle.SENT_AT_LATEST:
                yield self._decided("given up", call, "given_up")
        elif state is S.PARKED:
            yield from self._let_in(call)
        elif self._is_followed(state, is_cancelled):
            yield from self._claimed(call, state)

    def _is_followed(self, state: domain.State, is_cancelled: bool) -> bool:
        if state is S.UNRESOLVED and not self.rules.sweeps_unresolved:
            return False
        return self.rules.follows_cancelled or not is_cancelled

    def _let_in(self, call: Call) -> Iterator[Move]:
        held = budgets.reservation(self.rows[call.row])
        yield self._decided("let in", call._replace(money=(held.reserved, held.spent, held.suspense)), "admitted")
        yield self._decided("denied again", call, "parked", protocol.NO_MONEY, BORN)

    def _begun(self, call: Call, is_cancelled: bool) -> Move:
        if is_cancelled:
            return self._decided("cancel instead of sending", call, "canceled")
        begun = self._decided("begin", call._replace(age=0), "begun")
        after = begun.after if self.rules.persists_first else call
        return begun._replace(after=_with(after, Task(S.SENDING, "sends", 2)))

    def _claimed(self, call: Call, state: domain.State) -> Iterator[Move]:
        stale = tuple(task._replace(hold=0) for task in call.tasks if task.does != "is sure")
        claimed = self._decided("claim", call._replace(tasks=stale), "claimed")
        if state is S.SENDING:
            yield claimed._replace(label="take over")
        elif state in _UNNAMED:
            yield from self._resolve(claimed.after)
        elif state is S.ACCEPTED:
            yield from self._poll(claimed.after)
        else:
            yield claimed._replace(label="dies downloading", uses="crashes")
            yield from self._download(claimed.after)

    def _resolve(self, call: Call) -> Iterator[Move]:
        before, now = self.rows[call.row], BORN + AGES[call.age]
        known = [domain.Evidence(domain.Learned.CALLBACK, now, NAME)] if call.is_named else []
        if before.provider_job_id and self.rules.believes_names:
            yield self._decided("not there", call, "unknown")
            if not call.is_lost:
                yield self._decided("still there", call, "accepted", NAME)
        elif self.rules.named(known):
            yield self._decided("believe the evidence", call, "accepted", NAME)
        else:
            if self.rules.may_be_repeated(before, self.config.window, now) and len(call.tasks) < WORKERS:
                yield self._repeats(call, before)
            yield from self._look(call, known)

    def _repeats(self, call: Call, before: domain.Submission) -> Move:
        noted = self._decided("begin to repeat", call, "repeating") if self.rules.notes_repeats else Move("", call)
        task = Task(before.state, "repeats", 2, before.answered_at is not None)
        return Move("begin to repeat", _with(noted.after, task))

    def _look(self, call: Call, known: list[domain.Evidence]) -> Iterator[Move]:
        yield self._decided("lookup fails", call, "unknown")
        if self.config.lookup == "none":
            return
        if call.job not in NOTHING and not call.is_lost:
            yield self._decided("found", call, "accepted", NAME)
        is_sure = self.config.lookup == "strong" and not self.config.lookup_errs
        if call.job not in NOTHING and call.is_listed and not call.is_lost and is_sure:
            return
        if self._is_absent(call, known) and len(call.tasks) < WORKERS:
            yield Move("nothing is there", _with(call, Task(self.state(call), "is sure", 2)))

    def _is_absent(self, call: Call, known: list[domain.Evidence]) -> bool:
        """A look stands for as many in a row as are asked for: what the last does not find, none before it did."""
        now = BORN + AGES[call.age]
        at = [now - LAG * lifecycle.LOOKS - timedelta(seconds=1)] * (lifecycle.LOOKS - 1) + [now]
        seen = [*known, *(domain.Evidence(domain.Learned.NOT_FOUND, one) for one in at)]
        return self.rules.is_absent(self.rows[call.row], seen, self.config.lookup == "strong", LAG, now)

    def _poll(self, call: Call) -> Iterator[Move]:
        if call.is_lost:
            yield self._decided("the id is not found any more", call, "missing")
            return
        expires_at = BORN + AGES[call.age] if self.config.tells_expiry else None
        yield self._decided("done", call, "provider_done", HELD, expires_at)
        failed, charged = call._replace(job="failed"), call._replace(job="failed and charged")
        yield self._decided("the provider failed", failed, "provider_failed", "no", False, 0)
        yield self._decided("the provider failed, charged", charged, "provider_failed", "no", False, HELD)
        yield self._decided("the provider failed for now", failed, "provider_failed", "no", True, 0)
        yield Move("the provider loses the job", call._replace(is_lost=True), uses="losses")

    def _download(self, call: Call) -> Iterator[Move]:
        if call.job != "gone":
            yield self._decided("download", call, "stored", CLIP)
            yield self._decided("download fails", call, "fetch_failed", False)
        yield self._decided("the clip is gone", call._replace(job="gone"), "fetch_failed", True)

    # What goes on while a worker holds it, or thinks so.

    def _faults(self, rest: Call, task: Task) -> Iterator[Move]:
        yield Move("crash", rest._replace(in_flight=rest.in_flight + (task.does == "waits")), uses="crashes")
        if task.hold == 2:
            yield Move("the lease runs out", _with(rest, task._replace(hold=1)), uses="expiries")

    def _works(self, rest: Call, task: Task) -> Iterator[Move]:
        if task.does == "is sure":
            yield self._saved("absent", rest, task, "absent")
        elif task.does == "waits":
            yield from self._exchange(rest, task)
        elif task.does == "knows":
            yield self._saved("answer", rest, task, "accepted", NAME, learns=True)
        else:
            if task.does == "sends":
                yield self._saved("not sent", rest, task, "not_sent")
            yield from self._send(rest, task)

    def _send(self, rest: Call, task: Task) -> Iterator[Move]:
        in_window = self._knows_again(rest)
        if self.config.short_lived and rest.age:
            yield Move("its credential has expired", rest)
        elif self.config.window and not in_window and not self.config.sleeps_past_window:
            yield Move("never wakes", rest)
        elif rest.in_flight + sum(one.does == "waits" for one in rest.tasks) < UNDER_WAY:
            creates = rest.creates + (task.does == "sends" or not in_window)
            yield Move("send", _with(rest._replace(creates=creates), task._replace(does="waits")))

    def _knows_again(self, call: Call) -> bool:
        """Whether the provider would know the order again now."""
        return AGES[call.age] < self.config.window

    def _exchange(self, rest: Call, task: Task) -> Iterator[Move]:
        if rest.job != "refused":
            yield Move("the provider takes it", _with(self._taken(rest), task._replace(does="knows")))
        if rest.job in NOTHING:
            for_good = rest if self.config.refusals_differ else rest._replace(job="refused")
            yield self._saved("refused", for_good, task, "rejected", "no", False)
        if not rest.job:
            later = ("rejected", "no", True) if task.state is S.SENDING else ("repeat_lost",)
            yield self._saved("refused for now", rest, task, *later)
        lost = rest._replace(in_flight=rest.in_flight + 1)
        if not self.rules.library_sends_once and rest.creates < 2:
            yield Move("the library sends it again", _with(lost._replace(creates=rest.creates + 1), task))
        yield self._saved("no answer", lost, task, "answer_lost" if task.state is S.SENDING else "repeat_lost")

    def _taken(self, call: Call) -> Call:
        """The provider has the order now: a second job, unless it knows this one again."""
        if not call.job:
            return call._replace(job="alive", is_listed=False)
        knows_again = call.job == "refused" or self._knows_again(call)
        return call if knows_again else call._replace(broken="the provider has made the job twice")

    # What the others do.

    def _network(self, call: Call) -> Iterator[Move]:
        if call.in_flight:
            landed = call._replace(in_flight=call.in_flight - 1)
            yield Move("lost on the way", landed)
            yield Move("arrives late", self._taken(landed))

    def _people(self, call: Call) -> Iterator[Move]:
        state = self.state(call)
        if state is S.CLIP_EXPIRED:
            yield self._decided("fetch again", call, "fetch_again")._replace(uses="persons")
        if call.job not in NOTHING and state in (S.SENDING, *_UNNAMED) and not self.rows[call.row].provider_job_id:
            yield Move("callback, or a person's word", call._replace(is_named=True))
        if state not in _UNNAMED:
            return
        can_come = call.in_flight or any(task.does in ("sends", "repeats", "waits") for task in call.tasks)
        if not can_come or self.config.person_errs:
            free = call if self.config.person_errs else call._replace(job=call.job if call.job in NOTHING else "failed")
            yield self._decided("settled as free", free, "settled", 0, "ada")._replace(uses="persons")
        if call.job not in NOTHING:
            yield self._decided("settled as charged", call, "settled", HELD, "ada")._replace(uses="persons")

    def _time(self, call: Call) -> Iterator[Move]:
        """A long time passes: no lease is that long, and no order is under way for so long."""
        waits = self.state(call) in (*UNSENT, *_UNNAMED) and call.age + 1 < len(AGES)
        if waits and not call.in_flight and not any(task.hold == 2 or task.does == "waits" for task in call.tasks):
            yield Move("time passes", call._replace(age=call.age + 1, is_listed=bool(call.job)))

    def _saved(self, label: str, rest: Call, task: Task, decision: str, *args: object, learns: bool = False) -> Move:
        """Compare and set: who lost the lease has no say, but what it learned is kept."""
        state = self.state(rest)
        expected = S.INTENT if task.state is S.SENDING and not self.rules.persists_first else task.state
        if task.hold and state is expected:
            if state is not task.state:
                rest = self._decided("begin", rest, "begun").after
            elif task.was_answered:
                rest = self._decided("as it was", rest, "answered").after
            return self._decided(label, rest, decision, *args)
        if not learns or self.rows[rest.row].provider_job_id:
            return Move(f"{label}, too late", rest)
        free = state in (S.ABSENT, S.REJECTED, S.CANCELED_FREE)
        return Move(f"{label}, too late", rest._replace(is_named=True, is_flagged=rest.is_flagged or free))

    def _decided(self, label: str, call: Call, decision: str, *args: object) -> Move:
        step = self.rows.decide(call.row, call.age, decision, *args)
        moved = step.posting or budgets.Posting("none")
        reserved, spent, suspense = call.money
        money = (reserved + moved.reserved, spent + moved.spent, suspense + moved.suspense)
        is_named = call.is_named and not self.rows[step.row].provider_job_id
        after = call._replace(row=step.row, money=money, is_named=is_named, broken=step.broken)
        return Move(label, after, step.said)


_UNNAMED = (S.UNKNOWN, S.UNRESOLVED)


def _with(call: Call, task: Task) -> Call:
    return call._replace(tasks=tuple(sorted([*call.tasks, task])))
