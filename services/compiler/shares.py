"""The rules of shares: what whoever has the link sees, until when, and what opens it."""

import hashlib
import hmac
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction

from libs import errors
from services.compiler import domain, timeline
from services.compiler.manifest import Manifest

PREFIX = "rushes_share_"
"""How every secret begins: scanners of leaked links look for it."""
CHANCE_BYTES, SALT_BYTES = 16, 32
LIVES = timedelta(days=7)
LIVES_AT_MOST = timedelta(days=366)
PASSPHRASE_CHARACTERS = range(8, 201)
TRIES = 10
"""So many passphrases of a share are tried in a minute; they may come at once, and then wait their turn."""
_TICKETS_LIVE = timedelta(hours=12)
_HINT_CHARACTERS = 4


class ShareNotFound(errors.NotFound):
    """There is no share {share_id}; ListShares shows the shares you have."""


class ShareUnknown(errors.NotFound):
    """There is no such link; ask whoever sent it for the whole of it."""


class ShareEnded(errors.Conflict):
    """This link ended at {end_time}; ask whoever sent it for another."""


class PassphraseNeeded(errors.Denied):
    """This link needs a passphrase; ask whoever sent it."""


class PassphraseWrong(errors.Denied):
    """The passphrase is another."""


class PassphraseTriesExhausted(errors.Exhausted):
    """The passphrase was tried too often; wait a moment."""


class TicketInvalid(errors.Denied):
    """This was opened too long ago; open the link again."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """A cut of a film, from so many nanoseconds on."""

    title: str
    start: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that is seen of a film or take, as it was when it was shared; `duration` in nanoseconds.

    `file_title` is what its file is saved as, empty where that is the title.
    """

    title: str
    duration: int
    video: domain.Media
    poster: domain.Media | None = None
    captions: domain.Media | None = None
    language: str = ""
    is_generated: bool = False
    models: tuple[str, ...] = ()
    chapters: tuple[Chapter, ...] = ()
    file_title: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """A link without its secret, of a film or of a take. Of the passphrase there is the `seal`, if there is one.

    `salt` is chance that never leaves the database: the seal is made with it, and so are tickets.
    """

    id: str
    tenant_id: str
    film_id: str
    take_id: str
    snapshot: Snapshot
    hint: str
    allow_download: bool
    created_by: str
    created_at: datetime
    expires_at: datetime
    salt: bytes = field(repr=False)
    seal: bytes | None = field(default=None, repr=False)
    revoked_at: datetime | None = None
    views: int = 0
    viewed_at: datetime | None = None


def of_film(made: domain.Result, told: Manifest, file_title: str) -> Snapshot:
    """What is seen of a finished film, whose file is saved as this title."""
    makers = (shot.maker.model for shot in told.shots if shot.maker)
    return Snapshot(
        title=told.title,
        duration=_nanos(told.frames, told.profile.fps),
        video=made.video,
        poster=made.poster,
        captions=made.captions_vtt,
        language=told.language,
        is_generated=told.generated,
        models=tuple(dict.fromkeys(filter(None, makers))),
        file_title=file_title,
        chapters=tuple(Chapter(shot.title, _nanos(shot.start, told.profile.fps)) for shot in told.shots),
    )


def secret(chance: bytes) -> str:
    """The secret of a link: lower-case letters and digits, which no program takes for the end of an address."""
    return PREFIX + chance.hex()


def hint(secret: str) -> str:
    """By what people tell their links apart; it leaves chance enough."""
    return secret.removeprefix(PREFIX)[:_HINT_CHARACTERS]


def digest(secret: str) -> bytes:
    """What is kept of a secret. It is made of chance enough to need no salt, and no slowness."""
    return hashlib.sha256(secret.encode()).digest()


def sealed(passphrase: str, salt: bytes) -> bytes:
    """What is kept of a passphrase: scrypt with the parameters OWASP names for 16 MiB. It takes long, and is meant to.

    However a keyboard composes a letter, it is the same letter; spaces around are nobody's intention.
    """
    meant = unicodedata.normalize("NFKC", passphrase).strip()
    return hashlib.scrypt(meant.encode(), salt=salt, n=2**14, r=8, p=5, dklen=32)


def check_passphrase(seal: bytes, given: bytes) -> None:
    """Raises PassphraseWrong."""
    if not hmac.compare_digest(seal, given):
        raise PassphraseWrong


def ended_at(share: Share, now: datetime) -> datetime | None:
    """When it ended, by itself or taken back; None while it can be opened."""
    return share.revoked_at or (share.expires_at if now >= share.expires_at else None)


def check_open(share: Share, now: datetime) -> None:
    """Raises ShareEnded."""
    if ended := ended_at(share, now):
        raise ShareEnded(end_time=ended.isoformat(timespec="seconds"))


def ticket(share: Share, now: datetime) -> str:
    """What opens the share again, for a while and without a passphrase."""
    return _ticket(share, int((now + _TICKETS_LIVE).timestamp()))


def check_ticket(share: Share, given: str, now: datetime) -> None:
    """Raises TicketInvalid."""
    ends = given.partition(".")[0]
    known = ends.isascii() and ends.isdigit() and hmac.compare_digest(_ticket(share, int(ends)), given)
    if not known or now.timestamp() >= int(ends):
        raise TicketInvalid


def _ticket(share: Share, ends: int) -> str:
    said = f"{share.id} {ends}".encode()
    return f"{ends}.{hmac.new(share.salt, said, 'sha256').hexdigest()}"


def _nanos(frame: int, fps: Fraction) -> int:
    return timeline.nearest(frame * 10**9 / fps)
