"""``imagefit serve`` and ``imagefit config check``."""

from pathlib import Path

from imagefit.config import DEFAULT_PATH, load_config
from imagefit.telemetry import configure_logging


def serve(config_path: Path | None, *, verbose: bool) -> int:
    """Serve until told to stop.

    Raises:
        InvalidConfigurationError: the configuration has a fault.
        ListenError: the socket is in use or cannot be made.
    """
    from imagefit.daemon import serve as serve_forever

    config = load_config(config_path)
    configure_logging(verbose=verbose)
    serve_forever(config)
    return 0


def check_config(config_path: Path | None) -> int:
    """Read the configuration and say that it is good.

    Raises:
        InvalidConfigurationError: it has a fault.
    """
    load_config(config_path)
    path = config_path or DEFAULT_PATH
    print(f"{path}: good" if path.exists() else f"{path}: not there, the defaults are used")
    return 0
