"""The configuration file: every key and its default, and every fault named with its place."""

import os
from pathlib import Path

import pytest

from imagefit.config import DEFAULT_PATH, Config, load_config, parse_config
from imagefit.errors import InvalidConfigurationError
from imagefit.model.policy import Mode, NoMatch, OnError, Policy, Preference, Unknown

PREFER = '[[prefer]]\nannotation = "a"\nvalue = "b"\n'


def parse(text: str) -> Config:
    return parse_config(text.encode(), "c.toml")


def refusal(content: str | bytes) -> str:
    with pytest.raises(InvalidConfigurationError) as caught:
        parse_config(content if isinstance(content, bytes) else content.encode(), "c.toml")
    return str(caught.value)


def test_an_empty_file_has_every_default() -> None:
    config = parse("")
    assert config == Config()
    assert (config.server.socket, config.server.drain_seconds) == ("/run/imagefit/imagefit.sock", 60)
    assert config.containerd.socket == "/run/containerd/containerd.sock"
    assert config.registry.config_paths == (Path("/etc/containerd/certs.d"), Path("/etc/docker/certs.d"))
    assert config.registry.cache == "/var/cache/imagefit"
    assert config.node.root == "/"
    assert config.policy.time_budget == 10
    assert config.effective_policy == Policy()


def test_the_default_file_need_not_exist() -> None:
    expected = load_config(DEFAULT_PATH) if DEFAULT_PATH.exists() else Config()
    assert load_config(None) == expected


KEYS = [
    ("server", "socket", '"/x/i.sock"', "socket", "/x/i.sock"),
    ("server", "drain-seconds", "2.5", "drain_seconds", 2.5),
    ("server", "drain-seconds", "3600", "drain_seconds", 3600),
    ("containerd", "socket", '"/x/c.sock"', "socket", "/x/c.sock"),
    ("registry", "config-path", '"/a:/b"', "config_paths", (Path("/a"), Path("/b"))),
    ("registry", "config-path", '""', "config_paths", ()),
    ("registry", "cache", '"/x/cache"', "cache", "/x/cache"),
    ("node", "root", '"/host"', "root", "/host"),
    ("policy", "mode", '"enforce"', "mode", Mode.ENFORCE),
    ("policy", "mode", '"observe"', "mode", Mode.OBSERVE),
    ("policy", "mode", '"off"', "mode", Mode.OFF),
    ("policy", "no-match", '"reject"', "no_match", NoMatch.REJECT),
    ("policy", "no-match", '"pass-through"', "no_match", NoMatch.PASS_THROUGH),
    ("policy", "unknown", '"last"', "unknown", Unknown.LAST),
    ("policy", "unknown", '"reject"', "unknown", Unknown.REJECT),
    ("policy", "on-error", '"pass-through"', "on_error", OnError.PASS_THROUGH),
    ("policy", "on-error", '"fail"', "on_error", OnError.FAIL),
    ("policy", "time-budget", "1", "time_budget", 1),
    ("policy", "time-budget", "0.25", "time_budget", 0.25),
]


@pytest.mark.parametrize(
    ("table", "key", "written", "attribute", "read"), KEYS, ids=[f"{row[0]}.{row[1]}={row[2]}" for row in KEYS]
)
def test_a_key_is_read(table: str, key: str, written: str, attribute: str, read: object) -> None:
    config = parse(f"[{table}]\n{key} = {written}\n")
    assert getattr(getattr(config, table), attribute) == read


def test_detectors_are_those_of_plug_ins_that_are_installed() -> None:
    content = b'[node]\ndetectors = ["site", "fpga"]\n'
    assert parse_config(content, "c.toml", lambda: {"fpga", "site", "other"}).node.detectors == ("site", "fpga")
    with pytest.raises(InvalidConfigurationError) as caught:
        parse_config(content, "c.toml", lambda: {"fpga", "other"})
    assert caught.value.message == "c.toml: node.detectors names 'site', which no installed package brings"
    assert caught.value.advice == "installed are: fpga, other"
    with pytest.raises(InvalidConfigurationError) as caught:
        parse_config(content, "c.toml", set)
    assert caught.value.advice == "installed are: none (entry point group 'imagefit.detectors')"
    with pytest.raises(InvalidConfigurationError, match="names one twice"):
        parse_config(b'[node]\ndetectors = ["fpga", "fpga"]\n', "c.toml", lambda: {"fpga"})


def test_without_detectors_nobody_asks_what_is_installed() -> None:
    def never() -> set[str]:
        raise AssertionError("somebody asked")

    assert parse_config(b"[node]\ndetectors = []\n", "c.toml", never) == Config()


def test_preferences_are_read_in_their_order() -> None:
    config = parse(PREFER + '[[prefer]]\nannotation = "c"\nvalue = "d"\nweight = -7\n')
    assert config.effective_policy.prefer == (Preference("a", "b", 1), Preference("c", "d", -7))


def test_the_policy_carries_every_answer() -> None:
    config = parse('[policy]\nmode = "observe"\nno-match = "pass-through"\nunknown = "reject"\non-error = "fail"\n')
    assert config.effective_policy == Policy(Mode.OBSERVE, NoMatch.PASS_THROUGH, Unknown.REJECT, OnError.FAIL)


FAULTS = [
    pytest.param('mode = "off"\n', ["'mode'", "[policy]"], id="key-outside-its-table"),
    pytest.param('[server]\nsockte = "/x"\n', ["'server.sockte'", "'socket'"], id="unknown-key-nearest-name"),
    pytest.param("[server]\ndrain_seconds = 1\n", ["'server.drain_seconds'", "'drain-seconds'"], id="underscore"),
    pytest.param(
        "[node]\nxyz = 1\n", ["'node.xyz'", "known are: detectors, root"], id="unknown-key-without-a-near-name"
    ),
    pytest.param(PREFER + "wieght = 2\n", ["'prefer.wieght'", "'weight'"], id="unknown-key-in-prefer"),
    pytest.param(PREFER * 2 + "wieght = 2\n", ["'prefer.wieght'"], id="unknown-key-in-the-second-prefer"),
    pytest.param("[sever]\n", ["'sever'", "'server'"], id="unknown-table"),
    pytest.param("[[sever]]\n", ["'sever'", "'server'"], id="unknown-list-of-tables"),
    pytest.param('mode = "off"\n', ["unknown key 'mode'"], id="key-outside-of-its-table"),
    pytest.param("[server]\nsocket = 3\n", ["server.socket", "str", "int"], id="number-for-text"),
    pytest.param("[server]\nsocket = 1979-05-27\n", ["server.socket", "date"], id="date-for-text"),
    pytest.param("[server.socket]\na = 1\n", ["server.socket", "object"], id="table-for-text"),
    pytest.param('[policy]\ntime-budget = "10s"\n', ["policy.time-budget", "str"], id="text-for-seconds"),
    pytest.param("[policy]\ntime-budget = true\n", ["policy.time-budget", "bool"], id="boolean-for-seconds"),
    pytest.param(PREFER + "weight = 1.5\n", ["prefer[0].weight", "float"], id="fraction-for-weight"),
    pytest.param('[policy]\nmode = "of"\n', ["policy.mode", "'of'"], id="mode"),
    pytest.param('[policy]\nno-match = "fail"\n', ["policy.no-match", "'fail'"], id="no-match"),
    pytest.param('[policy]\nunknown = "first"\n', ["policy.unknown", "'first'"], id="unknown"),
    pytest.param('[policy]\non-error = "Fail"\n', ["policy.on-error", "'Fail'"], id="on-error"),
    pytest.param("\n[server\n", ["line 2"], id="bad-toml"),
    pytest.param("a = 1\nb = 2\na = 3\n", ["line 3"], id="key-twice"),
    pytest.param(b"\n\na = '\xff'\n", ["line 3", "UTF-8"], id="not-utf-8"),
    pytest.param("a = " + "[" * 5000, ["nested"], id="nested-too-deeply"),
    pytest.param(PREFER + "weight = " + "9" * 5000, ["digits"], id="number-of-thousands-of-digits"),
    pytest.param(PREFER + "weight = 9223372036854775808\n", ["prefer[0].weight"], id="weight-beyond-sums"),
    pytest.param(PREFER + "weight = -1000001\n", ["prefer[0].weight"], id="weight-too-negative"),
    pytest.param('[server]\nsocket = "i.sock"\n', ["server.socket", "'i.sock'", "absolute"], id="relative-socket"),
    pytest.param('[server]\nsocket = ""\n', ["server.socket", "absolute"], id="empty-socket"),
    pytest.param('[server]\nsocket = "/a\\u0000b"\n', ["server.socket"], id="null-character-in-a-path"),
    pytest.param('[containerd]\nsocket = "c.sock"\n', ["containerd.socket", "absolute"], id="relative-containerd"),
    pytest.param('[registry]\ncache = "c"\n', ["registry.cache", "absolute"], id="relative-cache"),
    pytest.param('[registry]\nconfig-path = "/a:b"\n', ["registry.config-path", "'b'"], id="relative-config-path"),
    pytest.param('[node]\nroot = "host"\n', ["node.root", "absolute"], id="relative-root"),
    pytest.param('[node]\ndetectors = "a"\n', ["node.detectors", "array", "str"], id="detectors-is-a-text"),
    pytest.param("[node]\ndetectors = [3]\n", ["node.detectors[0]", "int"], id="detectors-has-a-number"),
    pytest.param('[node]\ndetectors = ["gone"]\n', ["node.detectors", "'gone'"], id="detector-that-no-package-brings"),
    pytest.param(
        '[server]\nsocket = "/x/c"\n[containerd]\nsocket = "/x/c"\n',
        ["server.socket", "containerd.socket", "'/x/c'"],
        id="equal-sockets",
    ),
    pytest.param(
        '[server]\nsocket = "/x/./c"\n[containerd]\nsocket = "/x//c"\n',
        ["server.socket", "containerd.socket"],
        id="equal-sockets-written-differently",
    ),
    *(
        pytest.param(f"[{table}]\n{key} = {seconds}\n", [f"{table}.{key}"], id=f"{key}={seconds}")
        for table, key in (("policy", "time-budget"), ("server", "drain-seconds"))
        for seconds in ("0", "-1", "3600.1", "1e300", "inf", "-inf", "nan", "1" + "0" * 400)
    ),
    pytest.param("prefer = 3\n", ["prefer", "array", "int"], id="prefer-is-a-number"),
    pytest.param('prefer = ["a"]\n', ["prefer[0]", "str"], id="prefer-is-a-list-of-texts"),
    pytest.param('[prefer]\nannotation = "a"\nvalue = "b"\n', ["prefer", "array"], id="prefer-is-one-table"),
    pytest.param('[[prefer]]\nannotation = "a"\n', ["prefer[0]", "value"], id="prefer-without-value"),
    pytest.param(PREFER + '[[prefer]]\nvalue = "a"\n', ["prefer[1]", "annotation"], id="prefer-without-annotation"),
    pytest.param('server = "/x"\n', ["server", "object", "str"], id="a-table-that-is-a-text"),
    pytest.param('[[policy]]\nmode = "off"\n', ["policy", "object", "array"], id="a-table-that-is-a-list"),
]


@pytest.mark.parametrize(("content", "named"), FAULTS)
def test_a_fault_is_refused_with_its_place(content: str | bytes, named: list[str]) -> None:
    message = refusal(content)
    assert message.startswith("c.toml: ")
    for word in named:
        assert word in message
    assert "\n" not in message
    assert "$" not in message


def test_one_socket_by_two_paths_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "var").symlink_to("run")
    message = refusal(f'[server]\nsocket = "{tmp_path}/var/c"\n[containerd]\nsocket = "{tmp_path}/run/c"\n')
    assert "server.socket and containerd.socket are both" in message


def loading(path: Path) -> str:
    with pytest.raises(InvalidConfigurationError) as caught:
        load_config(path)
    assert str(path) in caught.value.message
    return caught.value.message


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[node]\nroot = "/host"\n')
    assert load_config(path).node.root == "/host"


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    assert "does not exist" in loading(tmp_path / "none.toml")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert "cannot be read: Is a directory" in loading(tmp_path)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.symlink_to(path)  # root may read whatever has a mode
    assert f"cannot be read: {os.strerror(40)}" in loading(path)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"#" * (1024 * 1024))
    assert load_config(path) == Config()
    path.write_bytes(b"#" * (1024 * 1024 + 1))
    assert "more than 1048576 bytes" in loading(path)


def test_a_fault_in_a_file_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("\n=\n")
    assert "line 2" in loading(path)
