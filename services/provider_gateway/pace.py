"""When to ask first: nobody is done before the quickest tenth of those before it were."""

import collections
import statistics
from datetime import timedelta

_REMEMBERED = 50
_ENOUGH = 5


class Pace:
    """Remembers how long the latest jobs of each model took, in this process only."""

    def __init__(self) -> None:
        self._took: dict[str, collections.deque[float]] = collections.defaultdict(
            lambda: collections.deque(maxlen=_REMEMBERED)
        )

    def note(self, model: str, took: timedelta) -> None:
        """A job of this model was done after so long."""
        self._took[model].append(took.total_seconds())

    def first_s(self, model: str) -> float:
        """How long to leave a new job of this model alone, in seconds; 0 while too little is known."""
        took = self._took.get(model, ())
        return statistics.quantiles(took, n=10, method="inclusive")[0] if len(took) >= _ENOUGH else 0.0
