"""What takes effect only after a restart: sockets, metrics, registry, node, tracing, decisions; all else at once."""

import pytest

from imagefit.config import Config, needs_restart, parse_config
from imagefit.config.keys import tables_of

RESTART = {
    "server.socket": '"/x"',
    "server.state": '"/x"',
    "containerd.socket": '"/x"',
    "registry.config-path": '"/x"',
    "registry.containerd-config": '"/x"',
    "registry.cache": '"/x"',
    "registry.tag-seconds": "1",
    "registry.token-servers": '["a=b"]',
    "registry.missing-seconds": "1",
    "node.root": '"/x"',
    "node.detectors": '["x"]',
    "metrics.listen": '"off"',
    "metrics.images": "true",
    "tracing.enabled": "true",
    "decisions.file": '""',
    "decisions.keep": "1",
}
AT_ONCE = {
    "server.drain-seconds": "1",
    "limits.calls": "1",
    "limits.pulls": "1",
    "policy.mode": '"off"',
    "policy.time-budget": "1",
    "ranking.order": '["tier", "position"]',
    "log.level": '"debug"',
    "log.levels.cri": '"debug"',
    "prefer": '[{ tag = "x" }]',
    "require": '[{ tag = "x" }]',
    "image": '[{ match = "x" }]',
}


def changed(*lines: str) -> Config:
    return parse_config("\n".join(lines).encode(), "c.toml", lambda: {"x"})


@pytest.mark.parametrize("key", RESTART)
def test_this_needs_a_restart(key: str) -> None:
    new = changed(f"{key} = {RESTART[key]}")
    assert needs_restart(Config(), new) == (key,)
    assert needs_restart(new, Config()) == (key,)
    assert needs_restart(new, new) == ()


@pytest.mark.parametrize("key", AT_ONCE)
def test_this_does_not(key: str) -> None:
    new = changed(f"{key} = {AT_ONCE[key]}")
    assert new != Config()
    assert needs_restart(Config(), new) == ()


def test_every_key_that_changed_is_named() -> None:
    new = changed('policy.mode = "off"', 'server.socket = "/a"', "metrics.images = true")
    assert needs_restart(Config(), new) == ("server.socket", "metrics.images")


def test_no_other_key_needs_one() -> None:
    marked = {
        f"{path[0]}.{key.name}" for path, _, own in tables_of(Config) for key in own.values() if key.needs_restart
    }
    assert marked == RESTART.keys()
