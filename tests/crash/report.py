"""What a run of the matrix says: a line for each round, a table, and what is wrong."""

from collections import Counter
from collections.abc import Iterator

from services.cli import check_gateway
from tests.crash import around, matrix, places

_KINDS = (*matrix.ACTIONS, matrix.LOST_REPLY)
_PROMISES = {
    "made twice": "no submission was made twice",
    "sent twice": "no submission was sent twice",
    "charged twice": "no submission was charged twice",
    "clips lost": "every clip that was made is stored, or has expired with an alert",
    "stored clips not as they were": "every stored clip is there, whole and unchanged",
}


def line(one: matrix.Played) -> str:
    """How a round went."""
    said = "; ".join(one.outcome.wrong) or (f"not hit: {one.outcome.missed}" if one.outcome.missed else "fine")
    return f"{one.outcome.elapsed_s:5.1f} s  {one.outcome.name} (seed {one.task.script.seed}): {said}"


def wrong(result: matrix.Result, everything: bool) -> list[str]:
    """Every promise that was broken, every fault that was not hit; of a whole run, every place and step not reached."""
    found = [line(one) for one in result.played if one.outcome.wrong or one.outcome.missed]
    if everything:
        found += [f"never reached: {place}" for place in places.every() if place not in result.reached]
        never = sorted(matrix.every_transition() - result.transitions)
        found += [f"never reached: {before} to {after}" for before, after in never]
    return found


def section(result: matrix.Result, elapsed_s: float) -> str:
    """The figures, for docs/reliability.md."""
    parts = (_table(result), _broken(result), _came_of_it(result), _unknown(result))
    head = f"{len(result.played)} rounds in {elapsed_s / 60:.0f} minutes, {len(result.reports)} rigs at a time."
    return "\n\n".join([head, *("\n".join(part) for part in parts)])


def _table(result: matrix.Result) -> Iterator[str]:
    yield f"| place | {' | '.join(_KINDS)} | violations |"
    yield f"|---|{'---|' * (len(_KINDS) + 1)}"
    rows: dict[str, Counter[str]] = {}
    for one in result.played:
        if one.task.kind in _KINDS:
            row = rows.setdefault(one.task.place.replace("provider_gateway ", ""), Counter())
            row[one.task.kind] += not one.outcome.missed
            row["violations"] += len(one.outcome.wrong)
    for place, row in sorted(rows.items()):
        yield f"| {place} | {' | '.join(str(row[kind]) for kind in _KINDS)} | {row['violations']} |"


def _broken(result: matrix.Result) -> Iterator[str]:
    kinds = Counter(one.task.kind for one in result.played)
    actions = Counter(hit.fault.action for one in result.played for hit in one.outcome.hits)
    yield "| what was broken | times |"
    yield "|---|---|"
    yield f"| a process killed at a place | {actions['kill']} |"
    yield f"| a process paused at a place for longer than its lease | {actions['pause']} |"
    yield f"| a fault raised at a place | {actions['stumble']} |"
    yield f"| of these, two in one round | {kinds[matrix.PAIR]} |"
    yield f"| every answer of a board lost on the wire | {kinds[matrix.LOST_REPLY]} |"
    for breaks in around.EVERY:
        yield f"| {(breaks.__doc__ or '').rstrip('.')} | {kinds[breaks.__name__]} |"


def _came_of_it(result: matrix.Result) -> Iterator[str]:
    figures, orders = _figures(result), _orders(result)
    findings = Counter(
        {one.promise: len(one.wrong) for report in result.reports for one in report.findings if one.wrong}
    )
    unfinished = orders - sum(figures[f"submissions {state.lower()}"] for state in check_gateway.FINAL)
    yield "| what came of it | count | 95 % upper bound |"
    yield "|---|---|---|"
    yield f"| orders | {orders} | |"
    yield f"| creates at the provider | {figures['creates at the provider']} | |"
    for title, promise in _PROMISES.items():
        yield f"| {title} | {findings[promise]} | {_bound(findings[promise], orders)} of the orders |"
    yield f"| not final | {unfinished} | {_bound(unfinished, orders)} of the orders |"
    yield f"| overspent micros | {figures['beyond a limit XTS']} | |"
    bad, rounds = sum(bool(one.outcome.wrong) for one in result.played), len(result.played)
    yield f"| rounds with any violation | {bad} | {_bound(bad, rounds)} of the rounds |"
    reached = len(result.transitions & matrix.every_transition()), len(matrix.every_transition())
    yield f"| places reached | {len(result.reached & set(places.every()))} of {len(places.every())} | |"
    yield f"| transitions taken | {reached[0]} of {reached[1]} | |"


def _unknown(result: matrix.Result) -> Iterator[str]:
    """What became of the outcomes nobody knew."""
    figures = _figures(result)
    yield "| outcomes that were unknown for a while | count |"
    yield "|---|---|"
    yield f"| all | {figures['outcomes that were unknown']} |"
    for kind, said in (
        ("answer", "a sender that had lost its lease still wrote down the answer"),
        ("found", "found by a lookup"),
        ("callback", "named, or hurried, by a callback"),
        ("ambiguous", "ambiguous"),
    ):
        yield f"| {said} | {figures[f'evidence {kind}']} |"
    yield f"| proven never to have been taken | {figures['submissions absent']} |"
    yield f"| named or closed by a person | {sum(one.outcome.settled for one in result.played)} |"
    yield f"| in suspense at the end, micros | {figures['in suspense XTS']} |"


def _figures(result: matrix.Result) -> Counter[str]:
    return sum((Counter(report.figures) for report in result.reports), Counter[str]())


def _orders(result: matrix.Result) -> int:
    return sum(count for name, count in _figures(result).items() if name.startswith("submissions "))


def _bound(seen: int, trials: int) -> str:
    """The rule of three: with nothing seen in so many trials, the rate is at most 3/N with 95 % confidence."""
    return f"{3 / trials:.2%}" if not seen and trials else "-"
