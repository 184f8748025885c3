"""The credentials of one pull, as kubelet sends them. Their repr never shows a secret."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class AuthConfig:
    """CRI's ``AuthConfig`` (``runtime.v1``), without the ``registry_token`` that containerd ignores too."""

    username: str = ""
    password: str = field(default="", repr=False)
    auth: str = field(default="", repr=False)
    server_address: str = ""
    identity_token: str = field(default="", repr=False)
