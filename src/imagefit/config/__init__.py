"""The operator's configuration: ``/etc/imagefit/config.toml`` and ``/etc/imagefit/config.d/*.toml`` to values.

Knows the keys, their defaults and types, and where each value comes from; every fault is told with its place. Leaves
their meaning to the parts that get them.
"""

from imagefit.config.changes import needs_restart
from imagefit.config.kinds import OFF
from imagefit.config.reading import FaultyConfigurationError, Loaded, load_config, parse_config, read_config
from imagefit.config.settings import Config
from imagefit.config.sources import DEFAULT_PATH, config_files, signature

__all__ = [
    "DEFAULT_PATH",
    "OFF",
    "Config",
    "FaultyConfigurationError",
    "Loaded",
    "config_files",
    "load_config",
    "needs_restart",
    "parse_config",
    "read_config",
    "signature",
]
