"""The methods that imagefit knows by their names; every other one is forwarded all the same.

Knows nothing of their messages. Sources: k8s.io/cri-api (``runtime/v1/api.proto``), containerd
(``api/services/images/v1/images.proto``), ``grpc/health/v1/health.proto``.
"""

from typing import Final

CRI_VERSIONS: Final = ("runtime.v1", "runtime.v1alpha2")
IMAGES_SERVICE: Final = "/containerd.services.images.v1.Images/"
HEALTH_CHECK: Final = "/grpc.health.v1.Health/Check"
HEALTH_WATCH: Final = "/grpc.health.v1.Health/Watch"
HEALTH_METHODS: Final = (HEALTH_CHECK, HEALTH_WATCH)
TRACEPARENT: Final = "traceparent"
"""The metadata that holds a call's trace context (W3C Trace Context)."""

# Every unary method of CRI up to Kubernetes 1.34. Others are forwarded as streams, of which a single reply is a special
# case.
_UNARY_IMAGE_METHODS: Final = ("ListImages", "ImageStatus", "PullImage", "RemoveImage", "ImageFsInfo")
_UNARY_RUNTIME_METHODS: Final = (
    *("Version", "Status", "RuntimeConfig", "UpdateRuntimeConfig", "ListMetricDescriptors", "ListPodSandboxMetrics"),
    *("RunPodSandbox", "StopPodSandbox", "RemovePodSandbox", "PodSandboxStatus", "ListPodSandbox"),
    *("CreateContainer", "StartContainer", "StopContainer", "RemoveContainer", "ListContainers", "ContainerStatus"),
    *("UpdateContainerResources", "ReopenContainerLog", "CheckpointContainer", "ExecSync", "Exec", "Attach"),
    *("PortForward", "ContainerStats", "ListContainerStats", "PodSandboxStats", "ListPodSandboxStats"),
)
UNARY_METHODS: Final = frozenset(
    f"/{version}.{service}/{method}"
    for version in CRI_VERSIONS
    for service, methods in (("ImageService", _UNARY_IMAGE_METHODS), ("RuntimeService", _UNARY_RUNTIME_METHODS))
    for method in methods
)
PULL_METHODS: Final = frozenset(f"/{version}.ImageService/PullImage" for version in CRI_VERSIONS)
