"""What answers pulls and health checks, put together: the registry, containerd's records, the service and its reports.

Knows which part gets what of the configuration, and what a new one changes. Leaves to the parts what they do. It is
imported with the first call that needs it: what chooses and the HTTP client take some 20 MB once they are used.
"""

import contextlib
from pathlib import Path

from imagefit import telemetry
from imagefit.config import Config
from imagefit.cri.backend import Backend
from imagefit.cri.health import Health, Missing
from imagefit.cri.marks import Marks
from imagefit.cri.proxy import Answerers, Proxy
from imagefit.cri.pulling import Pulls
from imagefit.cri.records import Records
from imagefit.errors import InvalidConfigurationError
from imagefit.node.source import NodeSource
from imagefit.registry.build import Places, registry_client
from imagefit.registry.client import RegistryClient
from imagefit.registry.resolution import Memory
from imagefit.service import Service
from imagefit.service.metadata import Vouch
from imagefit.service.report import Keep
from imagefit.telemetry import tracing

log = telemetry.part("daemon")
_NAMING_SECONDS = 2.0
_MARKS = "pulls"  # a folder of the state


class Answering:
    """The parts that answer pulls and health checks. To be made and used inside one event loop.

    Attributes:
        answerers: what they come to for the proxy.
    """

    def __init__(
        self,
        config: Config,
        forwarding: tuple[Backend, Proxy],
        node: NodeSource,
        missing: Missing,
        ending: contextlib.AsyncExitStack,
    ) -> None:
        """Put the parts together; nothing is asked yet.

        Args:
            config: as it was at the start.
            forwarding: containerd, and what forwards calls to it.
            node: what this node is.
            missing: returns what keeps pulls from being answered now; empty for nothing.
            ending: ends the parts.
        """
        backend, proxy = forwarding
        self._registry = _registry(config)
        ending.push_async_callback(self._registry.close)
        records = Records(backend, marks=Marks(Path(config.server.state) / _MARKS))
        records.heal()
        ending.push_async_callback(records.settled, _NAMING_SECONDS)
        self._service = Service(
            self._registry, node.node, config.policies, _keeping(config, ending), vouch=_vouch(self._registry, config)
        )
        self._health = Health(missing, proxy.forward_stream)
        _trace(config, ending)
        self.answerers = Answerers(Pulls(proxy, records, self._service).pull, self._health.answer)

    def take(self, config: Config) -> None:
        """Have a new configuration take effect, as far as that needs no restart."""
        # Between the two nothing is decided, and a policy that asks for signatures never meets nobody to check them.
        self._service.vouch = _vouch(self._registry, config)
        self._service.policies = config.policies

    def stop(self) -> None:
        """Tell those who watch the health that nothing is served any more; calls go on until the server stops."""
        self._health.stop()


def _registry(config: Config) -> RegistryClient:
    settings = config.registry
    places = Places(Path(settings.cache), settings.config_paths, settings.containerd_file, settings.known_token_servers)
    return registry_client(places, Memory(settings.tag_seconds, settings.missing_seconds))


def _vouch(registry: RegistryClient, config: Config) -> Vouch | None:
    """Return what checks the signatures of referrers; None where the operator asks for none."""
    rules = config.trust.referrers.key_rules
    if rules is None:
        return None
    from imagefit.trust.vouching import voucher  # most nodes ask for no signatures

    return voucher(registry, rules).vouch


def _keeping(config: Config, ending: contextlib.AsyncExitStack) -> Keep | None:
    """Return what keeps the records of decisions; None where they are not kept."""
    if not config.decisions.file:
        return None
    from imagefit.telemetry.decisions import Ring

    ring = Ring(Path(config.decisions.file), config.decisions.keep)
    ending.callback(ring.close)
    return ring.add


def _trace(config: Config, ending: contextlib.AsyncExitStack) -> None:
    """Record spans if they are wanted; without what they need, pulls go on."""
    if not config.tracing.enabled:
        return
    try:
        tracing.enable()
    except InvalidConfigurationError as error:
        log.warning("spans-not-recorded", error=error)
        return
    ending.callback(tracing.shutdown)
