"""``imagefit serve``: what the command line may say; how it serves is seen in the tests of the daemon."""

from pathlib import Path

import pytest

from cli.conftest import Imagefit

REFUSED = [
    pytest.param("nonsense", id="no-address"),
    pytest.param("127.0.0.1", id="no-port"),
    pytest.param("127.0.0.1:65536", id="no-such-port"),
    pytest.param("0.0.0.0:9477", id="every-address"),
    pytest.param("192.0.2.1:9477", id="not-this-node"),
    pytest.param("localhost:9477", id="name"),
    pytest.param("unix:relative", id="relative-path"),
]
TAKEN = ["127.0.0.1:9477", "[::1]:9477", "unix:/run/imagefit/metrics.sock", "off", ""]


@pytest.fixture
def _unusable(config: Path) -> None:
    """A socket that cannot be: what gets so far was taken."""
    config.write_text(config.read_text() + '[server]\nsocket = "/proc/none/imagefit.sock"\n')


@pytest.mark.usefixtures("_unusable")
@pytest.mark.parametrize("address", REFUSED)
def test_metrics_are_served_to_this_node_only(imagefit: Imagefit, address: str) -> None:
    ended = imagefit("serve", "--metrics", address)
    assert (ended.code, ended.out) == (2, "")
    assert f"--metrics '{address}' is no address" in ended.err
    assert "127.0.0.1:9477, unix:/PATH, or off" in " ".join(ended.err.split())


@pytest.mark.usefixtures("_unusable")
@pytest.mark.parametrize("address", TAKEN)
def test_what_the_configuration_could_say_is_taken(imagefit: Imagefit, address: str) -> None:
    ended = imagefit("serve", "--metrics", address)
    assert (ended.code, ended.out) == (2, "")
    assert "--metrics" not in ended.err
    assert "/proc/none" in ended.err
