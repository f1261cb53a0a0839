"""What the storyboard service is told by its environment."""

import pydantic

from libs import settings


class Settings(settings.Service):
    """One field for each RUSHES_ variable."""

    default_model: str = "sandbox/reel-1"
    """The catalogue id for scenes of which neither they nor their storyboard name a model."""
    blobs_url: str | None = None
    """file:///folder or s3://…: the media store, for reference images; unset takes none."""
    guests_secret: str | None = pydantic.Field(default=None, min_length=32)
    """What the claim codes of guests are sealed with, at least 32 characters; unset takes no guests."""
    writer_key: str | None = None
    """The API key of the language model that proposes scenes; unset turns those verbs off."""
    writer_base_url: str = "https://api.openai.com/v1"
    """Where a server speaks the OpenAI chat completions, with JSON schemas."""
    writer_model: str = "gpt-5-mini"
    """What that server calls the model."""
