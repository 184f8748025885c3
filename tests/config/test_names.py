"""Which patterns can stand for the name of an image: never a warning where one could, and what was meant where none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagefit.config.names import can_be_a_name, what_was_meant
from imagefit.errors import InvalidReferenceError
from imagefit.model.glob import Glob
from imagefit.model.reference import parse_reference

DIGEST = "sha256:" + "0a" * 32
CAN = [
    "*",
    "*/*",
    "*:*",
    "?*",
    "*:latest",
    "*@sha256:*",
    "reg*",
    "*.example.org/*",
    "docker.io/*",
    "docker.io/library/nginx:1.27",
    "docker.io/nginx*",
    "docker.io/*nginx:*",
    "r.example.org/team/app:*",
    "r.example.org/team/app:V1.*",
    "r.example.org/team/app*",
    "r.example.org/*app",
    f"r.example.org/team/app@{DIGEST}",
    "r.example.org/team/app@sha512:*",
    "r.example.org:5000/*",
    "r:5000/*",
    "nginx:*",
    "localhost/*",
    "localhost:5000/*",
    "local*/x:1",
    "[::1]:5000/app:1",
    "[::1]/app:1",
    "[*]/app:1",
    "R.example.org/app:1",
    "TEAM/app:1",
    "r.example.org/a__b/c--d.e:1",
    "???.??/?:?",
]
CANNOT = [
    pytest.param("nginx", "docker.io/library/nginx:*", id="short-name"),
    pytest.param("nginx:1.27", "docker.io/library/nginx:1.27", id="short-name-with-a-tag"),
    pytest.param("nginx:1.*", "docker.io/library/nginx:1.*", id="short-name-with-tags"),
    pytest.param("nginx@sha256:*", "docker.io/library/nginx@sha256:*", id="short-name-by-digest"),
    pytest.param("a/*", "docker.io/a/*", id="no-host"),
    pytest.param("library/nginx:*", "docker.io/library/nginx:*", id="library-without-host"),
    pytest.param("docker.io/nginx:*", "docker.io/library/nginx:*", id="no-library"),
    pytest.param("docker.io/nginx", "docker.io/library/nginx:*", id="no-library-no-tag"),
    pytest.param("index.docker.io/a/*", "docker.io/a/*", id="old-name-of-the-host"),
    pytest.param("index.docker.io/nginx:1", "docker.io/library/nginx:1", id="old-name-no-library"),
    pytest.param("https://r.example.org/*", "r.example.org/*", id="scheme"),
    pytest.param("docker://nginx", "docker.io/library/nginx:*", id="scheme-of-a-short-name"),
    pytest.param("r.example.org", "r.example.org/*", id="host-alone"),
    pytest.param("r.example.org/", "r.example.org/*", id="host-and-slash"),
    pytest.param("localhost/x", "localhost/x:*", id="local-host-no-tag"),
    pytest.param("r.example.org/team/app", "r.example.org/team/app:*", id="no-tag"),
    pytest.param("r.example.org/*/app", "r.example.org/*/app:*", id="no-tag-behind-a-star"),
    pytest.param("r.example.org/Team/*", "r.example.org/team/*", id="capitals-in-the-path"),
    pytest.param("r.example.org/Team/App:V1", "r.example.org/team/app:V1", id="capitals-of-the-tag-stay"),
    pytest.param("Nginx:latest", "docker.io/library/nginx:latest", id="capitals-of-a-short-name"),
    pytest.param("r.example.org/x:1@sha256:*", "", id="tag-and-digest"),
    pytest.param("r.example.org/x:1@*", "", id="tag-and-any-digest"),
    pytest.param(f"r.example.org/x@{DIGEST.upper()}", "", id="digest-in-capitals"),
    pytest.param("my_reg.example.org/*", "", id="no-host-name"),
    pytest.param("r.example.org:x/*", "", id="no-port"),
    pytest.param("r.example.org//x:1", "", id="empty-part"),
    pytest.param(" r.example.org/*", "", id="space"),
    pytest.param("r.example.org/é:*", "", id="letter"),
    pytest.param("[::g]/x:1", "", id="no-address"),
    pytest.param("?", "docker.io/library/?:*", id="one-character"),
]


@pytest.mark.parametrize("pattern", CAN)
def test_a_pattern_that_can_stand_for_a_name(pattern: str) -> None:
    assert can_be_a_name(pattern)


@pytest.mark.parametrize(("pattern", "meant"), CANNOT)
def test_a_pattern_that_cannot_and_what_was_meant(pattern: str, meant: str) -> None:
    assert not can_be_a_name(pattern)
    assert what_was_meant(pattern) == meant
    assert not meant or can_be_a_name(meant)


_PART = st.from_regex(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*", fullmatch=True).filter(lambda part: len(part) < 20)
_HOST = st.sampled_from(
    [
        *(
            "",
            "docker.io/",
            "index.docker.io/",
            "localhost/",
            "localhost:5000/",
            "r.example.org/",
            "R-1.example.org:80/",
        ),
        *("reg:5000/", "[::1]:5000/", "[fe80::1]/", "TEAM/", "library/"),
    ]
)
_END = st.sampled_from(["", ":1", ":V1_2.x-", f":1@{DIGEST}", f"@{DIGEST}", "@sha512:" + "0f" * 64])


@st.composite
def _names(draw: st.DrawFn) -> str:
    written = draw(_HOST) + "/".join(draw(st.lists(_PART, min_size=1, max_size=3))) + draw(_END)
    try:
        return str(parse_reference(written))
    except InvalidReferenceError:
        return "docker.io/library/x:1"


@given(_names(), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 9), st.sampled_from("*?")), max_size=4))
def test_what_matches_a_name_can_stand_for_one(name: str, holes: list[tuple[int, int, str]]) -> None:
    """Nothing is ever warned of that is for some image."""
    pattern = name
    for start, length, wildcard in holes:
        stop = start + (length if wildcard == "*" else 1)
        if stop <= len(pattern) and not {"*", "?"} & set(pattern[start:stop]):
            pattern = pattern[:start] + wildcard + pattern[stop:]
    assert Glob(pattern).matches(name)
    assert can_be_a_name(pattern)


@given(st.text(st.sampled_from("*?aA:/.@-_[]0 é"), max_size=30))
def test_what_was_meant_can_stand_for_a_name(pattern: str) -> None:
    meant = what_was_meant(pattern)
    assert not meant or can_be_a_name(meant)
