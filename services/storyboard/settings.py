"""What the storyboard service is told by its environment."""

from libs import settings


class Settings(settings.Service):
    """One field for each RUSHES_ variable."""

    default_model: str = "sandbox/reel-1"
    """The catalogue id for scenes of which neither they nor their storyboard name a model."""
