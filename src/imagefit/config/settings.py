"""All tables of the configuration: every key with its type, its default and what it means.

Knows what can be set. The reader, the JSON Schema, the reference page, the example and ``imagefit config show`` are
made from these tables. Leaves the meaning to the parts that get them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from imagefit.config.conditions import Prefers, Requires
from imagefit.config.kinds import (
    AbsolutePath,
    AtOnce,
    Keep,
    Listen,
    Moment,
    OptionalPath,
    Paths,
    Seconds,
    Table,
    TokenServer,
    about,
)
from imagefit.config.rules import Images, PolicySettings, Ranking
from imagefit.config.trust import TrustSettings
from imagefit.model.policy import Policies
from imagefit.telemetry import Format, Level, LogSettings


class Server(Table, frozen=True, kw_only=True):
    """``[server]``: where kubelet finds imagefit, and how long a stop waits for calls under way."""

    socket: Annotated[AbsolutePath, about("Where kubelet finds imagefit.", restart=True)] = (
        "/run/imagefit/imagefit.sock"
    )
    drain_seconds: Annotated[Seconds, about("Longest time that a stop waits for calls under way.")] = 60.0
    state: Annotated[
        AbsolutePath, about("Folder for what has to outlive a crash: marks of pulls under way.", restart=True)
    ] = "/var/lib/imagefit"


class LimitSettings(Table, frozen=True, kw_only=True):
    """``[limits]``: how much is done at once; a call beyond is answered at once with RESOURCE_EXHAUSTED."""

    calls: Annotated[AtOnce, about("Calls at once, streams and pulls included, health checks apart.")] = 1000
    pulls: Annotated[AtOnce, about("Pulls at once.")] = 250


class Containerd(Table, frozen=True, kw_only=True):
    """``[containerd]``: where containerd listens."""

    socket: Annotated[AbsolutePath, about("Where containerd listens.", restart=True)] = (
        "/run/containerd/containerd.sock"
    )


class Registry(Table, frozen=True, kw_only=True):
    """``[registry]``: how registries are reached, and how long their answers are kept."""

    config_path: Annotated[
        Paths,
        about(
            "Folders with a `hosts.toml` for each registry, as containerd's own `config_path`. Empty: as "
            "`containerd-config` says or, where it does not, `/etc/containerd/certs.d:/etc/docker/certs.d`.",
            restart=True,
        ),
    ] = ""
    containerd_config: Annotated[
        OptionalPath,
        about(
            "containerd's own configuration, whose `config_path`, credentials, headers and legacy tables (`mirrors`, "
            "`configs`) hold here, too; empty: none.",
            restart=True,
        ),
    ] = "/etc/containerd/config.toml"
    cache: Annotated[AbsolutePath, about("Folder for indexes and metadata, by digest.", restart=True)] = (
        "/var/cache/imagefit"
    )
    tag_seconds: Annotated[
        Moment,
        about(
            "How long is believed what a tag stands for, without asking the registry again; per credentials. "
            "0 asks for every pull, as containerd does.",
            restart=True,
        ),
    ] = 0.0
    missing_seconds: Annotated[
        Moment,
        about(
            "How long is believed that a registry has something not or denies it, per credentials. "
            "0 asks for every pull.",
            restart=True,
        ),
    ] = 2.0
    token_servers: Annotated[
        tuple[TokenServer, ...],
        about(
            "Token servers on other sites than their registries that may see the credentials of these, as "
            "`registry.example.org=auth.example.net`.",
            restart=True,
        ),
    ] = ()

    @property
    def known_token_servers(self) -> tuple[tuple[str, str], ...]:
        """Each registry with its token server."""
        pairs = (one.partition("=") for one in self.token_servers)
        return tuple((registry, server) for registry, _, server in pairs)

    @property
    def config_paths(self) -> tuple[Path, ...]:
        """The folders of ``config_path``, in order; none where it is not given."""
        return tuple(Path(part) for part in self.config_path.split(":") if part)

    @property
    def containerd_file(self) -> Path | None:
        """The file of containerd's own configuration; None where it does not count."""
        return Path(self.containerd_config) if self.containerd_config else None


class NodeSettings(Table, frozen=True, kw_only=True):
    """``[node]``: the folder that holds the node's ``proc``, ``sys``, ``etc``, and plug-ins that look there, too."""

    root: Annotated[AbsolutePath, about("Folder that holds the node's `proc`, `sys` and `etc`.", restart=True)] = "/"
    detectors: Annotated[
        tuple[str, ...], about("Plug-ins that look at the node, too, by their names.", restart=True)
    ] = ()


class LogLevels(Table, frozen=True, kw_only=True):
    """``[log.levels]``: levels of single parts."""

    service: Annotated[Level | UnsetType, about("Decisions, and what becomes of pulls.")] = UNSET
    cri: Annotated[Level | UnsetType, about("Calls to containerd, and its records of images.")] = UNSET
    registry: Annotated[Level | UnsetType, about("Requests to registries, and the cache.")] = UNSET
    node: Annotated[Level | UnsetType, about("Detection of the node's facts.")] = UNSET
    config: Annotated[Level | UnsetType, about("Reading this configuration.")] = UNSET
    daemon: Annotated[Level | UnsetType, about("Start, stop and sockets.")] = UNSET

    @property
    def by_part(self) -> Mapping[str, Level]:
        """The levels that are set, by the name of the part."""
        written = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return {name: level for name, level in written if level is not UNSET}


class Log(Table, frozen=True, kw_only=True):
    """``[log]``: how much is logged, and how it is written."""

    format: Annotated[Format, about("How a line is written.")] = "logfmt"
    level: Annotated[Level, about("What is less important than this is not logged.")] = "info"
    levels: Annotated[LogLevels, about("Levels of single parts, in place of `level`.")] = LogLevels()


class Metrics(Table, frozen=True, kw_only=True):
    """``[metrics]``: where Prometheus finds its metrics."""

    listen: Annotated[
        Listen,
        about(
            "Where metrics and health are served: a loopback address, `unix:/PATH`, or `off`. Empty: nowhere, unless "
            "the command line says where.",
            restart=True,
        ),
    ] = ""
    images: Annotated[
        bool, about("Count decisions by image, too; every image is then one more time series.", restart=True)
    ] = False


class Tracing(Table, frozen=True, kw_only=True):
    """``[tracing]``: spans for OpenTelemetry."""

    enabled: Annotated[
        bool,
        about(
            "Send spans to OpenTelemetry; needs the extra `otel`. Where to is set by the standard `OTEL_*` variables.",
            restart=True,
        ),
    ] = False


class Decisions(Table, frozen=True, kw_only=True):
    """``[decisions]``: the latest decisions, which ``imagefit decisions`` shows."""

    file: Annotated[OptionalPath, about("Where the latest decisions are kept; empty: nowhere.", restart=True)] = (
        "/var/lib/imagefit/decisions.jsonl"
    )
    keep: Annotated[Keep, about("How many of them.", restart=True)] = 1000


class Config(Table, frozen=True, kw_only=True):
    """The whole configuration."""

    server: Annotated[Server, about("The daemon itself.")] = Server()
    limits: Annotated[LimitSettings, about("How much is done at once.")] = LimitSettings()
    containerd: Annotated[Containerd, about("What the calls are passed on to.")] = Containerd()
    registry: Annotated[Registry, about("How registries are reached, and where answers are kept.")] = Registry()
    node: Annotated[NodeSettings, about("Where the node's facts come from.")] = NodeSettings()
    policy: Annotated[
        PolicySettings, about("What becomes of pulls; also what holds where the `[[image]]` of a pull does not say.")
    ] = PolicySettings()
    ranking: Annotated[Ranking, about("What ranks one entry of an index before another.")] = Ranking()
    prefer: Annotated[
        Prefers,
        about(
            "What is preferred, any number of these. An entry gains the weight of each that it meets; all conditions "
            "of one must be met. `*` stands for any characters, `/` too, and `?` for one."
        ),
    ] = ()
    require: Annotated[
        Requires,
        about(
            "What an entry must have: one that does not meet each of these is no candidate. Any number of them, each "
            "written as in `[[prefer]]`, without `weight`."
        ),
    ] = ()
    image: Annotated[
        Images,
        about(
            "Policies for some pulls, any number of these: the first whose patterns all match decides. Keys that it "
            "does not give are as for every pull. At least one of `match`, `namespace` and `runtime-handler` is needed."
        ),
    ] = ()
    trust: Annotated[TrustSettings, about("Whose word counts beside the index's.")] = TrustSettings()
    log: Annotated[Log, about("What is logged, and how.")] = Log()
    metrics: Annotated[Metrics, about("Metrics for Prometheus, and health.")] = Metrics()
    tracing: Annotated[Tracing, about("Spans for OpenTelemetry.")] = Tracing()
    decisions: Annotated[Decisions, about("The latest decisions, for `imagefit decisions`.")] = Decisions()

    @property
    def policies(self) -> Policies:
        """The policies of this node, made anew: keep them rather than ask again."""
        default = replace(
            self.policy.policy(self.ranking.order, self.prefer, self.require),
            dialects=self.trust.referrers.dialects,
            require_signature=self.trust.referrers.require_signature,
        )
        return Policies(default, tuple(one.rule(number, default) for number, one in enumerate(self.image, 1)))

    @property
    def log_settings(self) -> LogSettings:
        """``[log]`` as telemetry takes it."""
        return LogSettings(self.log.format, self.log.level, self.log.levels.by_part)
