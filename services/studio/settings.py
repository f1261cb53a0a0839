"""What the studio is told by its environment."""

import pydantic

from libs import settings, values


class Settings(settings.Process):
    """One field for each RUSHES_ variable."""

    blobs_url: values.BlobsUrl
    """file://… or s3://… where media are kept; a folder's signed addresses are served from here."""
    storyboard_address: values.Target
    """host:port, or dns:///name:port, of the storyboard service."""
    job_address: values.Target
    """host:port, or dns:///name:port, of the job service."""
    provider_gateway_address: values.Target
    """host:port, or dns:///name:port, of the provider gateway."""
    compiler_address: values.Target
    """host:port, or dns:///name:port, of the compiler."""
    studio_url: values.WebUrl | None = None
    """https://… where browsers reach the studio; needed behind a proxy that ends TLS: headers are not believed."""
    guests: bool = False
    """Whether people may begin without an account; the storyboard service needs RUSHES_GUESTS_SECRET for it."""
    oidc_client_id: str | None = None
    """What the OpenID provider calls the studio."""
    oidc_client_secret: pydantic.SecretStr | None = None
    """What the studio proves itself with to the OpenID provider, if it must. Usually RUSHES_OIDC_CLIENT_SECRET_FILE."""
    oidc_scope: str = "openid profile email"
    """What the OpenID provider is asked for; more where it takes that to give tokens for the audience of this house."""
    oidc_name: str = "single sign-on"
    """What the button says after `Continue with`."""
    oidc_issuer: values.WebUrl | None = None
    """https://… of the OpenID provider that signs people in, the issuer that the services trust; unset offers none."""

    @pydantic.field_validator("studio_url")
    @classmethod
    def _has_no_path(cls, url: str | None, info: pydantic.ValidationInfo) -> str | None:
        if url is None:
            return None
        if url.rstrip("/").count("/") != 2 or "?" in url or "#" in url:
            raise ValueError("should be scheme and host alone, such as https://films.example.org")
        return _encrypted(url.rstrip("/"), info)

    @pydantic.field_validator("oidc_issuer")
    @classmethod
    def _is_whole(cls, issuer: str | None, info: pydantic.ValidationInfo) -> str | None:
        if issuer is None:
            return None
        if not info.data.get("oidc_client_id") or not info.data.get("studio_url"):
            raise ValueError("needs RUSHES_OIDC_CLIENT_ID and RUSHES_STUDIO_URL beside it")
        return _encrypted(issuer, info)


def _encrypted(url: str, info: pydantic.ValidationInfo) -> str:
    if values.in_production(info) and not url.startswith("https://"):
        raise ValueError("should begin with https:// in production")
    return url
