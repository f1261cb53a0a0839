"""Which providers, and which bad luck, the protocol is proven for; and what the proof takes for granted."""

from datetime import timedelta

from tests.unit.provider_gateway.model.calls import Config

DAY, SHORT = timedelta(days=1), timedelta(minutes=10)

PROVEN = (
    Config("a crash and two leases that run out early", expiries=2),
    Config("credentials that expire", expiries=2, short_lived=True),
    Config("lookups that prove nothing", expiries=2, lookup="weak"),
    Config("no lookups", expiries=2, lookup="none"),
    Config("two crashes", crashes=2),
    Config("parking, people and lost ids", parks=1, persons=1, losses=1),
    Config("clips that go without a word", tells_expiry=False),
    Config("orders that are known again", crashes=0, cancels=0, lookup="none", window=DAY),
    Config("orders that are known again and looked up", crashes=0, cancels=0, window=DAY),
    Config("orders that are soon forgotten", crashes=0, cancels=0, lookup="weak", window=SHORT),
    Config("three attempts", attempts=3),
)
"""Explored by every `make test`."""

LARGER = (
    Config("two crashes, three leases, everything else", crashes=2, expiries=3, parks=1, persons=1, losses=1),
    Config("lookups that prove nothing, everything else", 2, 2, 2, parks=1, persons=1, losses=1, lookup="weak"),
    Config("orders that are known again, everything else", parks=1, persons=1, losses=1, lookup="none", window=DAY),
    Config("orders that are known again, two leases", crashes=0, expiries=2, cancels=0, window=DAY),
    Config("three attempts, two crashes, two leases", attempts=3, crashes=2, expiries=2),
    Config("four attempts", attempts=4, cancels=0),
)
"""Explored by `python -m tests.unit.provider_gateway.model larger`: millions of worlds, many minutes."""

TAKEN_FOR_GRANTED = (
    Config("lookups that are wrong when they are believed", lookup_errs=True),
    Config("people who are wrong about what is charged", person_errs=True, persons=1),
    Config("a refusal of the very order that was taken", cancels=0, lookup="none", window=DAY, refusals_differ=True),
    Config("who sleeps until the order is not known again", cancels=0, window=DAY, sleeps_past_window=True),
)
"""Without any of these, money can be lost: nobody can prove more than that it takes such a thing."""
