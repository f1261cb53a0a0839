"""What the storyboard service is told by its environment."""

import pydantic

from libs import settings, values


class Settings(settings.Service):
    """One field for each RUSHES_ variable."""

    default_model: str = "sandbox/reel-1"
    """The catalogue id for scenes of which neither they nor their storyboard name a model."""
    blobs_url: values.BlobsUrl | None = None
    """file:///folder or s3://…: the media store, for reference images; unset takes none."""
    guests_secret: pydantic.SecretStr | None = pydantic.Field(default=None, min_length=32)
    """What the claim codes of guests are sealed with, at least 32 characters; unset takes no guests."""
    session_s: int = pydantic.Field(12 * 3600, ge=300, le=366 * 86400)
    """How long a person who has signed in to the studio stays signed in, in seconds."""
    writer_key: pydantic.SecretStr | None = None
    """The API key of the language model that proposes scenes; unset turns those verbs off."""
    writer_base_url: values.WebUrl = "https://api.openai.com/v1"
    """Where a server speaks the OpenAI chat completions, with JSON schemas."""
    writer_model: str = "gpt-5-mini"
    """What that server calls the model."""

    @pydantic.field_validator("default_model")
    @classmethod
    def _costs_something(cls, model: str, info: pydantic.ValidationInfo) -> str:
        if values.in_production(info) and model.startswith("sandbox/"):
            raise ValueError("should be a model that is no plaything in production")
        return model
