"""NFD's feature files: each sentence of its guide and each branch of its reader."""

from datetime import UTC, datetime

import pytest

from imagefit.node.contract import CannotLookError, NotThereError
from imagefit.node.detectors.features_d import FeaturesDDetector, parse_feature_file
from node.conftest import MakeHost

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_DIRECTORY = "/etc/kubernetes/node-feature-discovery/features.d"


def _detector() -> FeaturesDDetector:
    return FeaturesDDetector(lambda: _NOW)


def test_the_guides_example_of_directives() -> None:
    text = (
        "# +no-feature\nvendor.io/label-only=value\n\nvendor.io/my-feature=value\n\nvendor.io/foo=bar\n\n"
        "# +no-label\nfoo=baz\n"
    )
    assert parse_feature_file(text, _NOW) == (
        {"vendor.io/my-feature": "value", "vendor.io/foo": "bar", "foo": "baz"},
        {"vendor.io/label-only": "value", "vendor.io/my-feature": "value", "vendor.io/foo": "bar"},
        (),
    )


def test_the_guides_example_of_expiry() -> None:
    text = (
        "# +expiry-time=2012-07-28T11:22:33Z\nvendor.io/feature1=featureValue\n\n"
        "# +expiry-time=2080-07-28T11:22:33Z\nvendor.io/feature2=featureValue2\n\n"
        "# +expiry-time=2070-07-28T11:22:33Z\nvendor.io/feature3=featureValue3\n\n"
        "# +expiry-time=2002-07-28T11:22:33Z\nvendor.io/feature4=featureValue4\n"
    )
    features, labels, faults = parse_feature_file(text, _NOW)
    assert features == labels == {"vendor.io/feature2": "featureValue2", "vendor.io/feature3": "featureValue3"}
    assert faults == ()


@pytest.mark.parametrize(
    ("text", "features"),
    [
        pytest.param("a", {"a": "true"}, id="no-value-is-true"),
        pytest.param("a=", {"a": ""}, id="an-empty-value"),
        pytest.param("a=b=c", {"a": "b=c"}, id="only-the-first-equals-sign-counts"),
        pytest.param("  a=b \r\n", {"a": "b"}, id="the-line-is-trimmed"),
        pytest.param("a = b", {"a ": " b"}, id="name-and-value-are-not"),
        pytest.param("a=1\na=2", {"a": "2"}, id="the-later-line-stands"),
        pytest.param("# a=1\n#b=2\n\n", {}, id="comments"),
        pytest.param("#+no-feature\na=1", {"a": "1"}, id="a-directive-has-a-space"),
        pytest.param("a=1\n# +no-feature\na=2", {}, id="a-directive-takes-back-what-stood-before"),
        pytest.param("# +no-feature\n\n# x\na=1\nb=2", {"b": "2"}, id="a-directive-is-for-the-next-line-only"),
        pytest.param("# +expiry-time=2026-01-01T00:00:00Z\na=1", {"a": "1"}, id="not-before-its-time"),
        pytest.param("# +expiry-time=2025-12-31T23:59:59.999Z\na=1", {}, id="just-expired"),
        pytest.param("# +expiry-time=2026-01-01T01:30:00+02:00\na=1", {}, id="expired-in-another-zone"),
        pytest.param("# +expiry-time= 2030-01-01t00:00:00z \na=1", {"a": "1"}, id="written-otherwise"),
    ],
)
def test_lines_are_read_as_nfd_does(text: str, features: dict[str, str]) -> None:
    assert parse_feature_file(text, _NOW)[0] == features
    assert parse_feature_file(text, _NOW)[2] == ()


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        pytest.param("=value", "line 2: a value without a name", id="no-name"),
        pytest.param("# +no-fuature", "line 2: unknown directive 'no-fuature'", id="unknown-directive"),
        pytest.param("# + Something", "line 2: unknown directive ' Something'", id="no-directive"),
        pytest.param("# +expiry-time", "line 2: '' is not a time", id="no-time"),
        pytest.param("# +expiry-time=tomorrow", "line 2: 'tomorrow' is not a time", id="a-word"),
        pytest.param("# +expiry-time=2012-07-28", "line 2: '2012-07-28' is not a time", id="only-a-date"),
        pytest.param("# +expiry-time=2012-07-28T11:22:33", "line 2: '2012-07-28T11:22:33' is not", id="no-zone"),
        pytest.param("# +expiry-time=2012-13-28T11:22:33Z", "line 2: month must be in 1..12", id="no-such-month"),
        pytest.param(f"# +{'x' * 9999}", f"line 2: unknown directive '{'x' * 80}'", id="a-long-one"),
    ],
)
def test_a_bad_line_costs_itself(line: str, fault: str) -> None:
    features, labels, faults = parse_feature_file(f"a=1\n{line}\nb=2\n", _NOW)
    assert features == labels == {"a": "1", "b": "2"}
    assert len(faults) == 1
    assert faults[0].startswith(fault)


def test_only_the_first_faults_of_a_file_are_named() -> None:
    assert len(parse_feature_file("=\n" * 1000, _NOW)[2]) == 8


def test_files_add_up_in_the_order_of_their_names_without_hidden_ones(make_host: MakeHost) -> None:
    host = make_host(
        {
            f"{_DIRECTORY}/b": "x=b\ny=b\n",
            f"{_DIRECTORY}/a": "x=a\nz=a\n",
            f"{_DIRECTORY}/.c": "x=c\n",
            f"{_DIRECTORY}/empty": b"",
        }
    )
    found = _detector().detect(host)
    everything = {"x": "b", "y": "b", "z": "a"}
    assert found.facts.attributes == {"local.feature": everything, "local.label": everything}
    assert found.warnings == ()


def test_a_bad_file_costs_itself_and_is_named(make_host: MakeHost) -> None:
    host = make_host(
        {
            f"{_DIRECTORY}/big": "x=1\n" * 20_000,
            f"{_DIRECTORY}/directory/x": "",
            f"{_DIRECTORY}/good": b"a=1\n=\n\xff\xfe=\0\n",
        }
    )
    found = _detector().detect(host)
    assert found.facts.attributes["local.feature"]["a"] == "1"
    assert found.warnings == (
        f"{_DIRECTORY}/big is larger than 65536 bytes",
        f"{_DIRECTORY}/directory is not a regular file",
        f"{_DIRECTORY}/good: line 2: a value without a name",
    )


def test_so_many_files_are_read_and_no_more(make_host: MakeHost) -> None:
    found = _detector().detect(make_host({f"{_DIRECTORY}/{number:03}": f"f{number}" for number in range(257)}))
    assert len(found.facts.attributes["local.feature"]) == 256
    assert found.warnings == (f"{_DIRECTORY}: of 257 files only the first 256 are read",)


def test_a_host_on_which_nobody_wrote_anything_has_no_feature(make_host: MakeHost) -> None:
    found = _detector().detect(make_host({"/etc/hostname": "n"}))
    assert found.facts.attributes == {"local.feature": {}, "local.label": {}}


def test_without_etc_nothing_is_known(make_host: MakeHost) -> None:
    with pytest.raises(NotThereError):
        _detector().detect(make_host({}))


def test_a_directory_that_cannot_be_listed_says_nothing(make_host: MakeHost) -> None:
    with pytest.raises(CannotLookError):
        _detector().detect(make_host({f"{_DIRECTORY}/{number}": "" for number in range(8193)}))


def test_the_clock_is_the_machines_unless_another_is_given(make_host: MakeHost) -> None:
    host = make_host(
        {f"{_DIRECTORY}/a": "# +expiry-time=2000-01-01T00:00:00Z\na\n# +expiry-time=9999-01-01T00:00:00Z\nb\n"}
    )
    assert FeaturesDDetector().detect(host).facts.attributes["local.feature"] == {"b": "true"}
