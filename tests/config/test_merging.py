"""Tables merge key by key, arrays of tables add up, of anything else the later stands; each value knows its line."""

from typing import Any

import pytest

from imagefit.config import Config
from imagefit.config.merging import DEFAULT, Merged, Placed, merged
from imagefit.config.reading import FaultyConfigurationError, read_config
from imagefit.config.sources import Source, parse_source


def together(*texts: str) -> Merged:
    sources = [parse_source(text.encode(), f"{number}.toml") for number, text in enumerate(texts)]
    return merged([Placed(source) for source in sources if isinstance(source, Source)], Config)


ONE = (
    '[policy]\nmode = "off"\npod-annotations = ["imagefit.dev/mode"]\n[[image]]\nmatch = "a"\n'
    '[log.levels]\ncri = "info"\n'
)
TWO = (
    '[log.levels]\nnode = "debug"\n[[image]]\nmatch = "b"\nprefer = [{tag = "x"}]\n[[image]]\nmatch = "c"\n[policy]\n'
    'time-budget = 3\npod-annotations = ["imagefit.dev/prefer-tag"]\n'
)


def test_what_two_files_say() -> None:
    assert together(ONE, TWO).data == {
        "policy": {"mode": "off", "pod-annotations": ["imagefit.dev/prefer-tag"], "time-budget": 3},
        "image": [{"match": "a"}, {"match": "b", "prefer": [{"tag": "x"}]}, {"match": "c"}],
        "log": {"levels": {"cri": "info", "node": "debug"}},
    }


@pytest.mark.parametrize(
    ("path", "origin"),
    [
        (("policy",), "0.toml:1"),
        (("policy", "mode"), "0.toml:2"),
        (("policy", "time-budget"), "1.toml:9"),
        (("policy", "pod-annotations"), "1.toml:10"),
        (("policy", "unknown"), DEFAULT),
        (("server",), DEFAULT),
        (("server", "socket"), DEFAULT),
        (("image",), "0.toml:4"),
        (("image", 0), "0.toml:4"),
        (("image", 0, "match"), "0.toml:5"),
        (("image", 0, "prefer"), DEFAULT),
        (("image", 1), "1.toml:3"),
        (("image", 1, "prefer", 0, "tag"), "1.toml:5"),
        (("image", 1, "prefer", 0, "weight"), DEFAULT),
        (("image", 1, "prefer", 1), DEFAULT),
        (("image", 2, "match"), "1.toml:7"),
        (("image", 3), DEFAULT),
        (("log", "levels", "cri"), "0.toml:7"),
        (("log", "levels", "node"), "1.toml:2"),
    ],
    ids=str,
)
def test_where_a_value_comes_from(path: tuple[Any, ...], origin: str) -> None:
    assert together(ONE, TWO).origin(path) == origin


def faults(tmp_path: Any, *texts: str) -> list[str]:
    main = tmp_path / "config.toml"
    (tmp_path / "config.d").mkdir()
    for number, text in enumerate(texts):
        path = tmp_path / f"config.d/{number}.toml" if number else main
        path.write_text(text)
        path.chmod(0o644)
    with pytest.raises(FaultyConfigurationError) as caught:
        read_config(main)
    return [str(fault).replace(f"{tmp_path}/", "") for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        pytest.param(
            '[policy]\nmode = "off"\n',
            '\n[[policy]]\nmode = "off"\n',
            ["config.d/1.toml:2: policy is an array of 1, and in config.toml:1 a table"],
            id="array-after-table",
        ),
        pytest.param(
            '[[prefer]]\ntag = "a"\n',
            '[prefer]\ntag = "a"\n',
            ["config.d/1.toml:1: prefer is a table, and in config.toml:1 an array of 1"],
            id="table-after-array",
        ),
        pytest.param(
            '[prefer]\ntag = "a"\n',
            '[[prefer]]\ntag = "a"\n',
            [
                "config.toml:1: prefer is a table, not an array of up to 1000 tables",
                "config.d/1.toml:1: prefer is an array of 1, and in config.toml:1 a table",
            ],
            id="array-after-a-table-that-is-wrong",
        ),
        pytest.param(
            "[log]\nlevels = {}\n",
            "[log]\nlevels = 3\n",
            ["config.d/1.toml:2: log.levels is 3, and in config.toml:2 a table"],
            id="inside-a-table",
        ),
        pytest.param(
            '[policy]\nmode = "off"\n',
            '[policy]\nmode = "on"\n',
            ["config.d/1.toml:2: policy.mode is 'on', not 'enforce', 'observe' or 'off'"],
            id="a-value-is-wrong-in-its-own-file",
        ),
        pytest.param(
            '[policy]\nmode = "on"\n',
            '[policy]\nmode = "off"\n',
            ["config.toml:2: policy.mode is 'on', not 'enforce', 'observe' or 'off'"],
            id="a-value-that-does-not-stand-is-wrong-too",
        ),
        pytest.param(
            '[server]\nsocket = "/x"\n',
            '[containerd]\nsocket = "/x"\n',
            ["config.d/1.toml:2: server.socket and containerd.socket are both '/x'"],
            id="sockets-of-two-files",
        ),
        pytest.param(
            '[[image]]\nmatch = "a"\n' * 600,
            '[[image]]\nmatch = "a"\n' * 401,
            ["config.d/1.toml:801: more than 1000 [[image]], all files together"],
            id="too-many-together",
        ),
    ],
)
def test_what_two_files_say_that_cannot_be(tmp_path: Any, first: str, second: str, told: list[str]) -> None:
    assert faults(tmp_path, first, second) == told
