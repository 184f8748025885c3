"""NO_PROXY and its friends, as Go reads them."""

import pytest

from imagefit.registry.proxies import proxy_for

PROXY = "http://proxy.example.com:3128"


@pytest.mark.parametrize(
    ("url", "environment", "proxy"),
    [
        ("https://h", {}, None),
        ("https://h", {"HTTPS_PROXY": PROXY}, PROXY),
        ("https://h", {"https_proxy": PROXY}, PROXY),
        ("https://h", {"HTTPS_PROXY": "proxy:1"}, "http://proxy:1"),
        ("https://h", {"HTTP_PROXY": PROXY}, None),
        ("http://h", {"HTTP_PROXY": PROXY}, PROXY),
        ("http://localhost:5000", {"HTTP_PROXY": PROXY}, None),
        ("http://127.0.0.1:5000", {"HTTP_PROXY": PROXY}, None),
        ("http://[::1]:5000", {"HTTP_PROXY": PROXY}, None),
    ],
)
def test_the_variable_of_the_scheme(url: str, environment: dict[str, str], proxy: str | None) -> None:
    assert proxy_for(url, environment) == proxy


NO_PROXY = [
    ("*", "https://any", True),
    ("example.com", "https://example.com", True),
    ("example.com", "https://registry.example.com", True),
    ("example.com", "https://badexample.com", False),
    (".example.com", "https://registry.example.com", True),
    (".example.com", "https://example.com", False),
    ("*.example.com", "https://registry.example.com", True),
    ("EXAMPLE.com", "https://example.COM", True),
    ("a, example.com ,b", "https://example.com", True),
    ("example.com:5000", "https://example.com:5000", True),
    ("example.com:5000", "https://example.com", False),
    ("example.com:443", "https://example.com", True),
    ("10.0.0.0/8", "https://10.1.2.3:5000", True),
    ("10.0.0.0/8", "https://11.1.2.3", False),
    ("10.0.0.0/8", "https://example.com", False),
    ("10.0.0.1", "https://10.0.0.1", True),
    ("fd00::/8", "https://[fd00::1]:5000", True),
    ("[fd00::1]:5000", "https://[fd00::1]:5000", True),
    ("fd00::1", "https://[fd00::1]", True),
    ("nonsense/8", "https://example.com", False),
    ("", "https://example.com", False),
    (f"example.com:{'9' * 5000}", "https://example.com", False),
    (f"[fd00::1]:{'9' * 5000}", "https://example.com", False),
]


@pytest.mark.parametrize(("entries", "url", "direct"), NO_PROXY)
def test_what_goes_out_directly(entries: str, url: str, *, direct: bool) -> None:
    assert (proxy_for(url, {"HTTPS_PROXY": PROXY, "NO_PROXY": entries}) is None) == direct
