"""How kubelet names a socket.

Source: ``GetAddressAndDialer`` of Kubernetes' ``k8s.io/cri-client/pkg/util``: a path without a scheme is a Unix socket.
"""

from typing import Final

FLAG: Final = "image-service-endpoint"
"""kubelet's flag."""
KEY: Final = "imageServiceEndpoint"
"""The key of its configuration file, known since Kubernetes 1.27; what comes before it does not look at such a key."""
RUNTIME_FLAG: Final = "container-runtime-endpoint"
"""Its flag for the runtime that starts containers; images go there, too, where no image service is named."""
RUNTIME_KEY: Final = "containerRuntimeEndpoint"
_SCHEME: Final = "unix://"


def endpoint_of(socket: str) -> str:
    """Return what a configuration says for an absolute path."""
    return f"{_SCHEME}{socket}"


def socket_of(endpoint: str) -> str:
    """Return the path of an endpoint below /run, as which /var/run is known, too; no Unix socket stays as it is."""
    path = endpoint.removeprefix(_SCHEME).removeprefix("unix:")
    return path.removeprefix("/var") if path.startswith("/var/run/") else path


def same(one: str, other: str) -> bool:
    """Tell whether two endpoints are one socket."""
    return socket_of(one) == socket_of(other)
