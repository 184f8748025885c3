"""What may be shown of a URL."""

import pytest

from imagefit.registry.exchange import shown_host


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        pytest.param("https://r.example:5000/v2/x?a=b", "r.example:5000", id="host-and-port"),
        pytest.param("http://user:planted@proxy:3128", "proxy:3128", id="credentials"),
        pytest.param("https://[::1]:5000/v2", "[::1]:5000", id="ipv6"),
        pytest.param("http://user:planted#word@proxy:3128", "a host that is not shown", id="a-password-with-a-hash"),
        pytest.param("http://user:planted/word@proxy:3128", "a host that is not shown", id="a-password-with-a-slash"),
        pytest.param("http://", "a host that is not shown", id="none"),
    ],
)
def test_of_a_url_only_its_host_is_shown(url: str, shown: str) -> None:
    assert shown_host(url) == shown
