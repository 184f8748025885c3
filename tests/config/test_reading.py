"""Every key and its default, and every fault told with its place."""

from pathlib import Path

import pytest

from imagefit.config import DEFAULT_PATH, Config, FaultyConfigurationError, load_config, parse_config
from imagefit.config.settings import LogLevels
from imagefit.errors import InvalidConfigurationError
from imagefit.model.policy import Criterion, Mode, NoMatch, OnError, Policies, Unknown
from imagefit.telemetry import PARTS, LogSettings

PREFER = '[[prefer]]\nannotation = "a"\nvalue = "b"\n'
IMAGE = '[[image]]\nmatch = "a"\n'


def parse(text: str) -> Config:
    return parse_config(text.encode(), "c.toml")


def faults(content: str | bytes) -> list[str]:
    with pytest.raises(FaultyConfigurationError) as caught:
        parse_config(content if isinstance(content, bytes) else content.encode(), "c.toml", set)
    assert isinstance(caught.value, InvalidConfigurationError)
    return [f"{fault} ({fault.advice})" if fault.advice else str(fault) for fault in caught.value.faults]


def test_an_empty_file_has_every_default() -> None:
    config = parse("")
    assert config == Config()
    assert (config.server.socket, config.server.drain_seconds) == ("/run/imagefit/imagefit.sock", 60)
    assert config.containerd.socket == "/run/containerd/containerd.sock"
    assert config.registry.config_paths == ()
    assert config.registry.containerd_file == Path("/etc/containerd/config.toml")
    assert config.registry.cache == "/var/cache/imagefit"
    assert (config.node.root, config.node.detectors) == ("/", ())
    assert (config.metrics.listen, config.metrics.images, config.tracing.enabled) == ("", False, False)
    assert (config.decisions.file, config.decisions.keep) == ("/var/lib/imagefit/decisions.jsonl", 1000)
    assert config.log_settings == LogSettings()
    assert config.policies == Policies()


def test_the_default_file_need_not_exist() -> None:
    expected = load_config(DEFAULT_PATH) if DEFAULT_PATH.exists() else Config()
    assert load_config(None) == expected


KEYS = [
    ("server", "socket", '"/x/i.sock"', "socket", "/x/i.sock"),
    ("server", "drain-seconds", "2.5", "drain_seconds", 2.5),
    ("server", "drain-seconds", "3600", "drain_seconds", 3600),
    ("containerd", "socket", '"/x/c.sock"', "socket", "/x/c.sock"),
    ("registry", "config-path", '"/a:/b"', "config_paths", (Path("/a"), Path("/b"))),
    ("registry", "config-path", '":/a::/b:"', "config_paths", (Path("/a"), Path("/b"))),
    ("registry", "config-path", '""', "config_paths", ()),
    ("registry", "containerd-config", '"/x/config.toml"', "containerd_file", Path("/x/config.toml")),
    ("registry", "containerd-config", '""', "containerd_file", None),
    ("registry", "cache", '"/x/cache"', "cache", "/x/cache"),
    ("registry", "tag-seconds", "60", "tag_seconds", 60),
    ("registry", "token-servers", '["a:5000=b"]', "known_token_servers", (("a:5000", "b"),)),
    ("registry", "missing-seconds", "0", "missing_seconds", 0),
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
    ("policy", "trust", '["index"]', "trust", ("index",)),
    ("policy", "time-budget", "1", "time_budget", 1),
    ("policy", "time-budget", "0.25", "time_budget", 0.25),
    ("policy", "pod-annotations", '["imagefit.dev/mode"]', "pod_annotations", ("imagefit.dev/mode",)),
    ("ranking", "order", '["tier", "position"]', "order", (Criterion.TIER, Criterion.POSITION)),
    ("log", "format", '"json"', "format", "json"),
    ("log", "level", '"warning"', "level", "warning"),
    ("metrics", "listen", '"off"', "listen", "off"),
    ("metrics", "listen", '"127.0.0.1:9477"', "listen", "127.0.0.1:9477"),
    ("metrics", "listen", '"127.255.0.1:65535"', "listen", "127.255.0.1:65535"),
    ("metrics", "listen", '"127.0.0.1:0"', "listen", "127.0.0.1:0"),
    ("metrics", "listen", '"[::1]:80"', "listen", "[::1]:80"),
    ("metrics", "listen", '"unix:/run/m.sock"', "listen", "unix:/run/m.sock"),
    ("metrics", "images", "true", "images", True),
    ("tracing", "enabled", "true", "enabled", True),
    ("decisions", "file", '""', "file", ""),
    ("decisions", "file", '"/x"', "file", "/x"),
    ("decisions", "keep", "100000", "keep", 100000),
]


@pytest.mark.parametrize(
    ("table", "key", "written", "attribute", "read"), KEYS, ids=[f"{row[0]}.{row[1]}={row[2]}" for row in KEYS]
)
def test_a_key_is_read(table: str, key: str, written: str, attribute: str, read: object) -> None:
    config = parse(f"[{table}]\n{key} = {written}\n")
    assert getattr(getattr(config, table), attribute) == read


def test_every_part_that_speaks_can_have_a_level() -> None:
    assert LogLevels.__struct_fields__ == PARTS
    config = parse('[log]\nformat = "json"\nlevel = "error"\n[log.levels]\ncri = "debug"\n')
    assert config.log_settings == LogSettings("json", "error", {"cri": "debug"})


def test_detectors_are_those_of_plug_ins_that_are_installed() -> None:
    content = b'[node]\ndetectors = ["site", "fpga"]\n'
    assert parse_config(content, "c.toml", lambda: {"fpga", "site", "other"}).node.detectors == ("site", "fpga")
    with pytest.raises(InvalidConfigurationError) as caught:
        parse_config(content, "c.toml", lambda: {"fpga", "other"})
    assert caught.value.message == "c.toml:2: node.detectors names 'site', which no installed package brings"
    assert caught.value.advice == "installed are: fpga, other"
    assert faults(content)[0].endswith("(installed are: none (entry point group 'imagefit.detectors'))")
    with pytest.raises(InvalidConfigurationError, match="names one twice"):
        parse_config(b'[node]\ndetectors = ["fpga", "fpga"]\n', "c.toml", lambda: {"fpga"})


def test_without_detectors_nobody_asks_what_is_installed() -> None:
    def never() -> set[str]:
        raise AssertionError("somebody asked")

    assert parse_config(b"[node]\ndetectors = []\n", "c.toml", never) == Config()


ONE_FAULT = [
    pytest.param('mode = "off"\n', "1: unknown key 'mode' (it belongs under [policy])", id="key-outside-its-table"),
    pytest.param('level = "x"\n', "1: unknown key 'level' (it belongs under [log])", id="key-outside-its-table-too"),
    pytest.param(
        'socket = "/x"\n', "1: unknown key 'socket' (it belongs under [server] or [containerd])", id="key-of-two-tables"
    ),
    pytest.param(
        '[server]\nmode = "off"\n', "2: unknown key 'server.mode' (it belongs under [policy])", id="elsewhere"
    ),
    pytest.param(
        '[server]\nsockte = "/x"\n', "2: unknown key 'server.sockte' (did you mean 'socket'?)", id="nearest-name"
    ),
    pytest.param(
        "[server]\ndrain_seconds = 1\n",
        "2: unknown key 'server.drain_seconds' (did you mean 'drain-seconds'?)",
        id="underscore",
    ),
    pytest.param("[node]\nxyz = 1\n", "2: unknown key 'node.xyz' (known are: detectors, root)", id="nothing-is-near"),
    pytest.param(
        PREFER * 2 + "wieght = 2\n", "7: unknown key 'prefer.wieght' (did you mean 'weight'?)", id="in-the-second-table"
    ),
    pytest.param(
        IMAGE + "prefer = [\n  { tga = 'x', tag = 'x' },\n]\n",
        "3: unknown key 'image.prefer.tga' (did you mean 'tag'?)",
        id="in-an-inline-table",
    ),
    pytest.param(
        IMAGE + "[[image.prefer]]\ntag = 'x'\n[[image.prefer]]\ntag = 'x'\nwhen = 1\n",
        "7: unknown key 'image.prefer.when' (known are: "
        "annotation, feature, label, platform, runtime-handler, tag, value, variant, weight)",
        id="in-a-table-below-a-table",
    ),
    pytest.param(
        "[log.levels]\nservce = 'info'\n", "2: unknown key 'log.levels.servce' (did you mean 'service'?)", id="levels"
    ),
    pytest.param("[sever]\n", "1: unknown key 'sever' (did you mean 'server'?)", id="unknown-table"),
    pytest.param("[[sever]]\n", "1: unknown key 'sever' (did you mean 'server'?)", id="unknown-list-of-tables"),
    pytest.param("a.b.c = 1\n", "1: unknown key 'a' (known are: ", id="dotted-key"),
    pytest.param("[server]\nsocket = 3\n", "2: server.socket is 3, not an absolute path", id="number-for-text"),
    pytest.param(
        "[server]\nsocket = 1979-05-27\n",
        "2: server.socket is the date or time 1979-05-27, not an absolute path",
        id="date-for-text",
    ),
    pytest.param("[server.socket]\na = 1\n", "1: server.socket is a table, not an absolute path", id="table-for-text"),
    pytest.param(
        '[policy]\ntime-budget = "10s"\n', "2: policy.time-budget is '10s', not seconds", id="text-for-seconds"
    ),
    pytest.param("[policy]\ntime-budget = true\n", "2: policy.time-budget is true, not seconds", id="boolean"),
    pytest.param(PREFER + "weight = 1.5\n", "4: prefer.weight is 1.5, not a whole number", id="fraction-for-weight"),
    pytest.param(
        "[log]\nlevel = 2026-11-21T14:00:00\n", "2: log.level is the date or time 2026-11-21 14:00:00,", id="time"
    ),
    pytest.param("[log]\nlevel = 1e3\n", "2: log.level is 1000, not", id="number-for-a-word"),
    pytest.param(PREFER + "weight = 0\n", "4: prefer.weight is 0, which changes nothing", id="weight-of-nothing"),
    pytest.param(PREFER + "weight = 1000001\n", "4: prefer.weight is 1000001, not", id="weight-too-large"),
    pytest.param(PREFER + "weight = -1000001\n", "4: prefer.weight is -1000001, not", id="weight-too-negative"),
    pytest.param(
        PREFER + f"weight = {2**63}\n", "4: prefer.weight is a number of many digits, not", id="weight-beyond-sums"
    ),
    pytest.param("[metrics]\nimages = 1\n", "2: metrics.images is 1, not true or false", id="number-for-boolean"),
    pytest.param(
        '[policy]\nmode = "of"\n',
        "2: policy.mode is 'of', not 'enforce', 'observe' or 'off' (did you mean 'off'?)",
        id="mode",
    ),
    pytest.param(
        '[policy]\nno-match = "fail"\n', "2: policy.no-match is 'fail', not 'reject' or 'pass-through'", id="no-match"
    ),
    pytest.param('[policy]\nunknown = "first"\n', "2: policy.unknown is 'first', not 'last'", id="unknown"),
    pytest.param(
        '[policy]\non-error = "Fail"\n',
        "2: policy.on-error is 'Fail', not 'pass-through' or 'fail' (did you mean 'fail'?)",
        id="on-error",
    ),
    pytest.param('[policy]\non-error = "pass_through"\n', "(did you mean 'pass-through'?)", id="underscore-in-a-value"),
    pytest.param(
        '[policy]\ntrust = ["referrers"]\n',
        "2: policy.trust does not have 'index' (what the index says always counts)",
        id="trust-without-the-index",
    ),
    pytest.param(
        '[policy]\ntrust = ["index", "referrer"]\n',
        "2: policy.trust has 'referrer', not 'index' or 'referrers' (did you mean 'referrers'?)",
        id="trust-in-nothing-known",
    ),
    pytest.param(
        '[[image]]\nmatch = "a"\ntrust = ["index", "index"]\n', "3: image.trust names 'index' twice", id="trust-twice"
    ),
    pytest.param("[policy]\ntrust = []\n", "2: policy.trust does not have 'index' (", id="no-trust"),
    pytest.param(
        '[policy]\ntrust = "index"\n', "2: policy.trust is 'index', not a list of 'index' and, if", id="trust-is-text"
    ),
    pytest.param(
        '[policy]\npod-annotations = ["imagefit.dev/mod"]\n',
        "(did you mean 'imagefit.dev/mode'?)",
        id="pod-annotation-that-there-is-not",
    ),
    pytest.param(
        '[log]\nlevel = "warn"\n', "2: log.level is 'warn', not 'debug', 'info', 'warning' or 'error' (", id="level"
    ),
    pytest.param('[log]\nformat = "xml"\n', "2: log.format is 'xml', not 'logfmt' or 'json'", id="format"),
    pytest.param("[log]\nlevels = 3\n", "2: log.levels is 3, not a table", id="levels-are-a-number"),
    pytest.param("\n[server\n", "2: Expected ']'", id="bad-toml"),
    pytest.param("[policy]\nmode = ", "2: Invalid value (at end of document)", id="ends-too-early"),
    pytest.param("a = 1\nb = 2\na = 3\n", "3: Cannot overwrite a value (column 6)", id="key-twice"),
    pytest.param(b"\n\na = '\xff'\n", "3: not UTF-8", id="not-utf-8"),
    pytest.param("a = " + "[" * 5000, " nested too deeply", id="nested-too-deeply"),
    pytest.param("a" + ".a" * 2201 + " = 1\n", "1: has a line with more than 2200 dots", id="too-many-dots"),
    pytest.param("#" * 262145, " has more than 262144 bytes", id="too-large"),
    pytest.param(PREFER + "weight = " + "9" * 5000, " Exceeds the limit", id="number-of-thousands-of-digits"),
    pytest.param('[server]\nsocket = "i.sock"\n', "2: server.socket is 'i.sock', not an absolute path", id="relative"),
    pytest.param('[server]\nsocket = ""\n', "2: server.socket is '', not an absolute path", id="empty-socket"),
    pytest.param('[server]\nsocket = "/a\\u0000b"\n', "2: server.socket is '/a\\x00b', not", id="null-in-a-path"),
    pytest.param(f'[server]\nsocket = "/{"a" * 2048}"\n', "2: server.socket is '/aaa", id="path-too-long"),
    pytest.param('[containerd]\nsocket = "c.sock"\n', "2: containerd.socket is 'c.sock'", id="relative-containerd"),
    pytest.param('[registry]\ncache = "c"\n', "2: registry.cache is 'c', not an absolute path", id="relative-cache"),
    pytest.param(
        '[registry]\nconfig-path = "/a:b"\n',
        "2: registry.config-path is '/a:b', not absolute paths joined by ':'",
        id="relative-config-path",
    ),
    pytest.param('[node]\nroot = "host"\n', "2: node.root is 'host', not an absolute path", id="relative-root"),
    pytest.param('[decisions]\nfile = "x"\n', "2: decisions.file is 'x', not an absolute path, or empty", id="file"),
    pytest.param("[decisions]\nkeep = 0\n", "2: decisions.keep is 0, not a whole number from 1", id="keep-nothing"),
    pytest.param('[node]\ndetectors = "a"\n', "2: node.detectors is 'a', not a list", id="detectors-is-a-text"),
    pytest.param("[node]\ndetectors = [3]\n", "2: node.detectors has 3, not a text", id="detectors-has-a-number"),
    pytest.param('[node]\ndetectors = ["gone"]\n', "2: node.detectors names 'gone'", id="detector-not-installed"),
    pytest.param(
        '[server]\nsocket = "/x/c"\n[containerd]\nsocket = "/x/c"\n',
        "4: server.socket and containerd.socket are both '/x/c' (imagefit listens on its own",
        id="equal-sockets",
    ),
    pytest.param(
        '[server]\nsocket = "/run/containerd/./containerd.sock"\n',
        "2: server.socket and",
        id="the-default-of-the-other",
    ),
    *(
        pytest.param(f'[metrics]\nlisten = "{address}"\n', f"2: metrics.listen is {address!r}, not 'off',", id=name)
        for name, address in {
            "every-address": "0.0.0.0:9477",
            "no-loopback": "10.0.0.1:9477",
            "no-octet": "127.0.0.256:9477",
            "no-port": "127.0.0.1",
            "port-too-large": "127.0.0.1:65536",
            "name": "localhost:9477",
            "every-address-v6": "[::]:9477",
            "relative-unix": "unix:run/x",
            "on": "on",
        }.items()
    ),
    pytest.param('[metrics]\nlisten = "off\\n"\n', "2: metrics.listen is 'off\\n', not", id="line-break-at-the-end"),
    *(
        pytest.param(f"[{table}]\n{key} = {seconds}\n", f"2: {table}.{key} is ", id=f"{key}={seconds:.8}")
        for table, key in (("policy", "time-budget"), ("server", "drain-seconds"))
        for seconds in ("0", "-1", "3600.1", "1e300", "inf", "-inf", "nan", "1" + "0" * 400)
    ),
    *(
        pytest.param(f"[registry]\n{key} = {seconds}\n", f"2: registry.{key} is ", id=f"{key}={seconds}")
        for key in ("tag-seconds", "missing-seconds")
        for seconds in ("-0.1", "60.1", "inf", "nan", "true", '"1s"')
    ),
    pytest.param("prefer = 3\n", "1: prefer is 3, not an array of up to 1000 tables", id="prefer-is-a-number"),
    pytest.param('prefer = ["a"]\n', "1: prefer has 'a', not a table", id="prefer-is-a-list-of-texts"),
    pytest.param(
        '[prefer]\ntag = "b"\n',
        "1: prefer is a table, not an array of up to 1000 tables (write [[prefer]])",
        id="one-table",
    ),
    pytest.param('[[policy]]\nmode = "off"\n', "1: policy is an array of 1, not a table", id="policy-is-an-array"),
    pytest.param('server = "/x"\n', "1: server is '/x', not a table", id="a-table-that-is-a-text"),
    pytest.param(
        "[[prefer]]\nweight = 3\n",
        "1: prefer asks for nothing (give one or more of annotation, label, tag, feature, variant, platform)",
        id="prefer-without-a-condition",
    ),
    pytest.param(
        '[[prefer]]\nruntime-handler = "x"\n[[require]]\ntag = "a"\n',
        "1: prefer asks for nothing (",
        id="handler-alone",
    ),
    pytest.param("[[require]]\n", "1: require asks for nothing (", id="require-without-a-condition"),
    pytest.param(
        '[[require]]\ntag = "x"\nvalue = "a"\n',
        "3: require.value goes with annotation or label, and here is neither",
        id="value-of-nothing",
    ),
    pytest.param(
        '[[prefer]]\nannotation = "x"\nlabel = "y"\nvalue = "a"\n',
        "4: prefer.value goes with annotation or label, and here is both: write two tables",
        id="value-of-two",
    ),
    pytest.param(
        '[[require]]\ntag = "x"\nweight = 1\n', "3: unknown key 'require.weight' (known", id="weight-in-require"
    ),
    pytest.param('[[prefer]]\ntag = ""\n', "2: prefer.tag is '', not a pattern of 1 to 256", id="empty-tag"),
    pytest.param(f'[[prefer]]\ntag = "{"x" * 257}"\n', "…', not a pattern of 1 to 256 characters", id="long-tag"),
    pytest.param(
        '[[image]]\nmode = "off"\n',
        "1: image does not say for which pulls it is (give match, namespace or runtime-handler; "
        "what holds for every pull goes under [policy])",
        id="image-without-a-pattern",
    ),
    pytest.param(
        IMAGE + '[[image]]\nmatch = ""\n', "4: image.match is '', not a pattern", id="image-with-an-empty-name"
    ),
    pytest.param(IMAGE + 'platforms = ["wasm"]\n', "3: image.platforms has 'wasm', not a platform such", id="platform"),
    pytest.param(
        IMAGE + f"platforms = {['a/b'] * 17}\n", "3: image.platforms is an array of 17, not a list of up to 16", id="17"
    ),
    pytest.param(
        "[ranking]\norder = []\n",
        "2: ranking.order does not begin with 'tier' (what fits always comes before what may fit)",
        id="order-of-nothing",
    ),
    pytest.param(
        '[ranking]\norder = ["cpu", "tier", "position"]\n', "2: ranking.order does not begin", id="tier-later"
    ),
    pytest.param(
        '[ranking]\norder = ["tier", "position", "cpu"]\n',
        "2: ranking.order does not end with 'position' (the default is tier, preference,",
        id="position-earlier",
    ),
    pytest.param('[ranking]\norder = ["tier"]\n', "2: ranking.order does not end with 'position'", id="no-position"),
    pytest.param(
        '[ranking]\norder = ["tier", "cpu", "cpu", "position"]\n', "2: ranking.order names 'cpu' twice", id="twice"
    ),
    pytest.param(
        '[ranking]\norder = ["tier", "scor", "position"]\n',
        "2: ranking.order has 'scor', not 'tier', 'preference', 'score', 'cpu', 'specificity' or 'position' "
        "(did you mean 'score'?)",
        id="criterion-that-there-is-not",
    ),
    pytest.param(
        IMAGE + 'ranking = ["tier"]\n', "3: image.ranking does not end with 'position'", id="order-of-an-image"
    ),
    pytest.param(IMAGE * 1001, "1: image is an array of 1001, not an array of up to 1000 tables", id="too-many-rules"),
]


@pytest.mark.parametrize(("content", "told"), ONE_FAULT)
def test_a_fault_is_told_with_file_line_key_and_nearest_name(content: str | bytes, told: str) -> None:
    (fault,) = faults(content)
    assert fault.startswith("c.toml:")
    assert told in fault
    assert fault.isprintable()


def test_one_socket_by_two_paths_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "var").symlink_to("run")
    (fault,) = faults(f'[server]\nsocket = "{tmp_path}/var/c"\n[containerd]\nsocket = "{tmp_path}/run/c"\n')
    assert "server.socket and containerd.socket are both" in fault


def test_as_many_rules_as_may_be_are_read() -> None:
    assert len(parse(IMAGE * 1000).policies.rules) == 1000


def test_all_faults_are_told_in_the_order_of_their_lines() -> None:
    text = f'[log]\nlevle = 1\n[policy]\nmode = "of"\ntime-budget = 0\n{IMAGE}mod = 1\nmode = 3\n'
    assert [fault.split(":")[1] for fault in faults(text)] == ["2", "4", "5", "8", "9"]


def test_an_error_is_one_sentence_that_has_the_first_fault_and_says_how_many_there_are() -> None:
    with pytest.raises(FaultyConfigurationError) as caught:
        parse('[policy]\nmode = "of"\nunknown = "x"\n')
    assert caught.value.message == (
        "c.toml:2: policy.mode is 'of', not 'enforce', 'observe' or 'off' (did you mean 'off'?); and 1 more fault"
    )
    assert caught.value.advice == "'imagefit config check' names all"
    with pytest.raises(FaultyConfigurationError, match="; and 24 more faults") as caught:
        parse("".join(f"x{number} = 1\n" for number in range(25)))
    assert (len(caught.value.faults), caught.value.more) == (20, 5)


def test_a_file_of_thousands_of_faults_is_refused_in_no_time() -> None:
    # To look for what was meant by each of them would take seconds.
    with pytest.raises(FaultyConfigurationError, match="; and 999 more faults"):
        parse("".join(f"x{number} = 1\n" for number in range(15_000)))


def test_a_key_and_a_value_of_many_or_strange_characters_are_shown_short_and_printable() -> None:
    (fault,) = faults(f'"{"k" * 300}\\u001b" = 1\n')
    assert len(fault) < 400
    (fault,) = faults(f'[policy]\nmode = "\\u001b[31m{"v" * 300}"\n')
    assert fault.isprintable()
    assert len(fault) < 200
