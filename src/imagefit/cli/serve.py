"""``imagefit serve``."""

from pathlib import Path


def serve(config_path: Path | None, *, verbose: bool, metrics: str = "") -> int:
    """Serve until told to stop.

    Args:
        config_path: the configuration file, or None for the default one.
        verbose: log what a search for a fault needs.
        metrics: where metrics are served if the configuration does not say; empty for nowhere.

    Raises:
        InvalidConfigurationError: the configuration has a fault.
        ListenError: the socket is in use or cannot be made.
    """
    from imagefit.daemon import Overrides
    from imagefit.daemon import serve as serve_forever
    from imagefit.reload import LiveConfig

    serve_forever(LiveConfig(config_path), Overrides(verbose=verbose, metrics_listen=metrics))
    return 0
