"""Names as containerd's CRI plugin reads them: what is one, in which normal form, and what is none."""

import pytest

from imagefit.errors import InvalidReferenceError
from imagefit.model.reference import ImageReference, first_that_is_no_digest, is_digest, parse_reference

_HEX = "0123456789abcdef" * 4
_SHA256 = f"sha256:{_HEX}"
_SHA512 = f"sha512:{_HEX}{_HEX}"
_SHA384 = f"sha384:{_HEX}{_HEX[:32]}"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("nginx", "docker.io/library/nginx:latest", id="one word"),
        pytest.param("nginx:1.27", "docker.io/library/nginx:1.27", id="one word and tag"),
        pytest.param("user/app", "docker.io/user/app:latest", id="user"),
        pytest.param("docker.io/x", "docker.io/library/x:latest", id="domain without library"),
        pytest.param("docker.io/library/x", "docker.io/library/x:latest", id="normal form"),
        pytest.param("index.docker.io/x", "docker.io/library/x:latest", id="legacy domain"),
        pytest.param("index.docker.io/a/b:1", "docker.io/a/b:1", id="legacy domain and user"),
        pytest.param("localhost/x", "localhost/x:latest", id="localhost is a domain"),
        pytest.param("localhost", "docker.io/library/localhost:latest", id="localhost alone is a path"),
        pytest.param("docker.io", "docker.io/library/docker.io:latest", id="a domain alone is a path"),
        pytest.param("host:5000", "docker.io/library/host:5000", id="a port alone is a tag"),
        pytest.param("host:5000/x", "host:5000/x:latest", id="port"),
        pytest.param("host:5000/x:t", "host:5000/x:t", id="port and tag"),
        pytest.param(f"host:5000/x:t@{_SHA256}", f"host:5000/x@{_SHA256}", id="a digest drops the tag"),
        pytest.param("Host/x", "Host/x:latest", id="upper-case makes a domain"),
        pytest.param("127.0.0.1/x", "127.0.0.1/x:latest", id="IPv4"),
        pytest.param("[::1]/x", "[::1]/x:latest", id="IPv6"),
        pytest.param("[::1]:5000/x", "[::1]:5000/x:latest", id="IPv6 and port"),
        pytest.param("r.io/a/b/c/d:t", "r.io/a/b/c/d:t", id="deep path"),
        pytest.param("r.io/a__b/c-d/e--f/g.h/i_j", "r.io/a__b/c-d/e--f/g.h/i_j:latest", id="separators"),
        pytest.param("x:A_b-C.9", "docker.io/library/x:A_b-C.9", id="tags have any case"),
        pytest.param("x:" + "t" * 128, "docker.io/library/x:" + "t" * 128, id="tag of 128"),
        pytest.param(f"x@{_SHA256}", f"docker.io/library/x@{_SHA256}", id="sha256"),
        pytest.param(f"x@{_SHA384}", f"docker.io/library/x@{_SHA384}", id="sha384"),
        pytest.param(f"x@{_SHA512}", f"docker.io/library/x@{_SHA512}", id="sha512"),
        pytest.param(_SHA256, f"docker.io/library/sha256:{_HEX}", id="what looks like a digest alone is a tag"),
        pytest.param(f"r.io/{_HEX}", f"r.io/{_HEX}:latest", id="64 hexadecimal digits after a domain"),
        pytest.param(f"{_HEX}:t", f"docker.io/library/{_HEX}:t", id="64 hexadecimal digits with a tag"),
        pytest.param(_HEX[1:], f"docker.io/library/{_HEX[1:]}:latest", id="63 hexadecimal digits"),
        pytest.param("r.io/" + "a" * 250, f"r.io/{'a' * 250}:latest", id="name of 255"),
    ],
)
def test_a_name_has_the_normal_form_that_containerd_gives_it(text: str, name: str) -> None:
    assert str(parse_reference(text)) == name


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(" ", id="blank"),
        pytest.param(" nginx", id="leading space"),
        pytest.param("nginx\n", id="trailing newline"),
        pytest.param(f"nginx@{_SHA256}\n", id="trailing newline after a digest"),
        pytest.param("nginx:latest\n", id="trailing newline after a tag"),
        pytest.param(_HEX, id="64 hexadecimal digits are an image ID"),
        pytest.param("Nginx", id="upper-case path"),
        pytest.param("r.io/A/b", id="upper-case path after a domain"),
        pytest.param("user/Nginx", id="upper-case path after a user"),
        pytest.param("x:" + "t" * 129, id="tag of 129"),
        pytest.param("x:", id="empty tag"),
        pytest.param("x:-t", id="tag that starts with a dash"),
        pytest.param("x:.t", id="tag that starts with a dot"),
        pytest.param("x:a:b", id="two tags"),
        pytest.param("x@", id="empty digest"),
        pytest.param(f"x@{_SHA256[:-1]}", id="digest too short"),
        pytest.param(f"x@{_SHA256}0", id="digest too long"),
        pytest.param(f"x@sha256:{_HEX.upper()}", id="upper-case digest"),
        pytest.param(f"x@sha512:{_HEX}", id="sha512 with the length of sha256"),
        pytest.param(f"x@md5:{_HEX[:32]}", id="unknown algorithm"),
        pytest.param(f"x@SHA256:{_HEX}", id="upper-case algorithm"),
        pytest.param(f"x@{_SHA256}:t", id="tag after the digest"),
        pytest.param("/x", id="empty domain"),
        pytest.param("r.io/", id="empty path"),
        pytest.param("r.io//x", id="empty component"),
        pytest.param("r.io/x/", id="trailing slash"),
        pytest.param("r.io:/x", id="empty port"),
        pytest.param("r.io:port/x", id="port that is no number"),
        pytest.param("-r.io/x", id="domain that starts with a dash"),
        pytest.param("r..io/x", id="empty domain component"),
        pytest.param("[::1/x", id="open bracket"),
        pytest.param("[::g]/x", id="no address"),
        pytest.param("r.io/a___b", id="three underscores"),
        pytest.param("r.io/a..b", id="two dots"),
        pytest.param("r.io/-a", id="path that starts with a dash"),
        pytest.param("r.io/a-", id="path that ends with a dash"),
        pytest.param("https://r.io/x", id="URL"),
        pytest.param("r.io/é", id="letter outside ASCII"),
        pytest.param("r.io/x:٣", id="digit outside ASCII"),
        pytest.param("x\x00", id="NUL"),
        pytest.param("r.io/" + "a" * 256, id="path of 256"),
        pytest.param("a" * 100_000, id="very long"),
    ],
)
def test_what_containerd_refuses_is_no_name(text: str) -> None:
    with pytest.raises(InvalidReferenceError) as caught:
        parse_reference(text)
    assert len(str(caught.value)) < 2000


def test_a_refused_name_is_shown_with_what_was_expected() -> None:
    with pytest.raises(InvalidReferenceError, match=r"'x:' is not an image name \(expected ") as caught:
        parse_reference("x:")
    assert caught.value.code == "invalid-reference"
    assert caught.value.advice


def test_a_reference_knows_its_repository_and_what_to_ask_for() -> None:
    by_tag, by_digest = parse_reference("r.io/a/b:t"), parse_reference(f"r.io/a/b@{_SHA256}")
    assert (by_tag.repository, by_tag.target) == ("r.io/a/b", "t")
    assert (by_digest.repository, by_digest.target) == ("r.io/a/b", _SHA256)


def test_another_digest_of_the_same_repository_has_no_tag() -> None:
    assert parse_reference("r.io/a:t").at(_SHA256) == ImageReference("r.io", "a", digest=_SHA256)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(_SHA256, True, id="sha256"),
        pytest.param(_SHA384, True, id="sha384"),
        pytest.param(_SHA512, True, id="sha512"),
        pytest.param("", False, id="empty"),
        pytest.param(_HEX, False, id="no algorithm"),
        pytest.param(_SHA256.upper(), False, id="upper-case"),
        pytest.param(_SHA256 + "\n", False, id="newline"),
        pytest.param(f"sha1:{_HEX[:40]}", False, id="sha1"),
        pytest.param(f"sha256:{_HEX[:-1]}g", False, id="no hexadecimal digit"),
        pytest.param(f"blake3:{_HEX}", False, id="unregistered"),
    ],
)
def test_a_digest_is_one_of_a_registered_algorithm(text: str, expected: object) -> None:
    assert is_digest(text) is expected


_GOOD = "sha256:" + "0123456789abcdef" * 4
_LONG = "sha512:" + "0123456789abcdef" * 8


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param([], id="none"),
        pytest.param([_GOOD] * 3, id="sha256"),
        pytest.param([_GOOD, _LONG], id="of several algorithms"),
    ],
)
def test_a_list_of_digests_has_none_that_is_not_one(texts: list[str]) -> None:
    assert first_that_is_no_digest(texts) is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param(_GOOD[:-1], id="too short"),
        pytest.param(_GOOD + "0", id="too long"),
        pytest.param(_GOOD.upper(), id="upper-case"),
        pytest.param(_GOOD[:-1] + "g", id="not hexadecimal"),
        pytest.param(_GOOD[:-1] + "\u0660", id="a digit of another script"),
        pytest.param(_GOOD[:-1] + "\ud800", id="half a character"),
        pytest.param(_GOOD[:-1] + "\n", id="a line end"),
        pytest.param("sha256:sha256:" + "0" * 57, id="twice the algorithm"),
        pytest.param("0" * 71, id="no algorithm"),
        pytest.param("md5:" + "0" * 67, id="another algorithm"),
    ],
)
def test_the_first_text_that_is_no_digest_is_found(text: str) -> None:
    assert not is_digest(text)
    assert first_that_is_no_digest([_GOOD, text, _GOOD, text]) == 1
    assert first_that_is_no_digest([_LONG, text]) == 1
