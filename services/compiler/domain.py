"""What can go wrong with a film."""

from libs import errors


class FilmNotFound(errors.NotFound):
    """There is no film {film_id}; ListFilms shows the films you have."""


class FilmAlreadyFinished(errors.Conflict):
    """The film {film_id} is {state} and can no longer change; ask for a new one."""


class ClipUnreadable(errors.Conflict):
    """The clip of "{title}" (scene {scene_id}) {problem}; pick another take, or film the scene again."""


class ClipMissing(errors.Conflict):
    """The clip of "{title}" (scene {scene_id}) is not in the blob store; film the scene again."""


class FilmNotAsPlanned(errors.Conflict):
    """The finished file is not as planned ({check}) and was not delivered; report it with the film's id."""


class CompilerExhausted(errors.Conflict):
    """The film failed {attempts} times, last by {cause}; look at disk, memory and storage, then ask again."""
