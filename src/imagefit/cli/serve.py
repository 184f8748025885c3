"""``imagefit serve``: the daemon, started."""

import gc
import signal
from pathlib import Path

import msgspec

from imagefit.errors import InvalidConfigurationError


def serve(config_path: Path | None, *, verbose: bool, metrics: str = "", take_over: bool = False) -> int:
    """Serve until told to stop, or until another takes over.

    Args:
        config_path: the configuration file, or None for the default one.
        verbose: log what a search for a fault needs.
        metrics: where metrics are served if the configuration does not say; empty for nowhere.
        take_over: take the socket from the imagefit that has it, if one has.

    Raises:
        InvalidConfigurationError: the configuration has a fault, or ``metrics`` is nothing that it could say.
        ListenError: the socket is in use or cannot be made.
        ImagefitError: it listened, and a part of it could not be started.
    """
    # A reload that is asked for before anybody listens has nothing to do: the configuration is read afterwards.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # What imports make stays: to look for garbage in it takes a sixth of the start. The daemon looks once it is made.
    gc.disable()
    try:
        from imagefit.daemon.notifying import Manager
        from imagefit.daemon.starts import Starts, put_off

        starts, manager = Starts(), Manager()
        if put_off(starts, manager):
            from imagefit.daemon.life import Overrides
            from imagefit.daemon.life import serve as serve_forever
            from imagefit.daemon.reload import LiveConfig

            _check_address(metrics)
            overrides = Overrides(verbose=verbose, metrics_listen=metrics, take_over=take_over)
            serve_forever(LiveConfig(config_path), overrides, manager, starts)
    finally:
        gc.enable()
    return 0


def _check_address(metrics: str) -> None:
    from imagefit.config.kinds import Listen

    try:
        msgspec.convert(metrics, Listen)
    except msgspec.ValidationError as error:
        advice = "a loopback address such as 127.0.0.1:9477, unix:/PATH, or off"
        raise InvalidConfigurationError(f"--metrics {metrics!r} is no address for metrics", advice=advice) from error
