"""What kind of refusal it is that came in a provider's own error envelope."""

import re

from services.provider_gateway import providers

_OF_THE_ORDER = {400, 413, 422}
_OF_THE_KEY = {401, 402, 403}
_GONE = {404, 410}
# Providers have codes and words of their own for these, at whatever status.
_MODERATION = re.compile(r"moderat|content.?polic|sentinel_block|sensitive.?content|\bSAFETY\b|responsible.?ai", re.I)
_KEY = re.compile(r"api.?key.?(not.?valid|invalid)|insufficient.?(quota|credit|balance|fund)|billing.hard.limit", re.I)
_RETIRED = re.compile(r"no longer available|model.?not.?found|\bmodel\b.*\b(not found|not exist)", re.I)


def read(status: int, said: str, everything: str, after_s: float | None) -> providers.Rejected:
    """A definite refusal with this status; `said` is fit to be shown, `everything` in the envelope is not."""
    if status != 429 and _MODERATION.search(everything):
        return providers.Rejected(f"The provider does not film this; change the prompt or the first frame. {said}")
    if status == 401:  # some providers quote the key they refuse
        said = "The provider refused the key; correct the key of this endpoint."
    if status in _OF_THE_KEY or is_of_the_key(everything):
        return providers.Rejected(said, passing=True, account=True)
    if status == 429:
        return providers.Rejected(said, True, after_s, passing=True)
    retired = status in _GONE and bool(_RETIRED.search(everything))
    return providers.Rejected(said, passing=status not in _OF_THE_ORDER, retired=retired)


def is_of_the_key(everything: str) -> bool:
    """Whether an envelope speaks of a key that is wrong, or that has no money left, whatever the status is."""
    return bool(_KEY.search(everything))
