"""``[trust.referrers]``: what may stand there, and that signatures cannot be asked for without what checks them."""

import sys
from pathlib import Path
from typing import get_args

import pytest

from harness.signing import p256
from imagefit.config import Config, FaultyConfigurationError, parse_config, read_config
from imagefit.config.kinds import MAX_RULES
from imagefit.config.trust import MAX_KEY_FILES, Family
from imagefit.formats.carriers import FAMILIES

TABLE = "[trust.referrers]\n"
REQUIRED = f"{TABLE}require-signature = true\n"
WHERE = "[[trust.referrers.repository]]"
REPOSITORY = f"{WHERE}\n"
PATHS = f"a list of up to {MAX_KEY_FILES} absolute paths"
TABLES = f"an array of up to {MAX_RULES} tables"


def parse(text: str) -> Config:
    return parse_config(text.encode(), "c.toml", set)


def faults(text: str) -> list[str]:
    with pytest.raises(FaultyConfigurationError) as caught:
        parse(text)
    return [f"{fault} ({fault.advice})" if fault.advice else str(fault) for fault in caught.value.faults]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The file of a key that can be used."""
    file = tmp_path / "k.pub"
    file.write_bytes(p256().pem)
    return file


def test_by_default_no_signature_is_asked_for_and_no_key_is_read() -> None:
    assert parse("").trust.referrers.key_rules is None
    unread = parse(f'{TABLE}keys = ["/missing"]\n{REPOSITORY}match = "*"\nkeys = "/missing"\n')
    assert unread.trust.referrers.key_rules is None


def test_keys_are_for_repositories_and_for_all_the_others(key: Path) -> None:
    text = f'{REQUIRED}keys = ["{key}"]\n{REPOSITORY}match = "example.org/hpc/*"\nkeys = "{key.parent}"\n'
    rules = parse(text).trust.referrers.key_rules
    assert rules is not None
    assert rules.sources("example.org/hpc/app") == (key.parent,)
    assert rules.sources("example.org/app") == (key,)


def test_every_kind_of_metadata_that_there_is_can_be_named() -> None:
    assert set(get_args(Family)) == set(FAMILIES)
    assert parse(f'{TABLE}dialects = ["oci", "nfd"]\n').trust.referrers.dialects == ("oci", "nfd")


ONE_FAULT: dict[str, tuple[str, str]] = {
    "unknown-kind": (
        f'{TABLE}dialects = ["ofd"]\n',
        "c.toml:2: trust.referrers.dialects has 'ofd', not 'nfd', 'oci' or 'compspec' (did you mean 'nfd'?)",
    ),
    "kind-twice": (
        f'{TABLE}dialects = ["nfd", "oci", "nfd"]\n',
        "c.toml:2: trust.referrers.dialects names 'nfd' twice",
    ),
    "relative": (f'{TABLE}keys = ["k.pub"]\n', "c.toml:2: trust.referrers.keys has 'k.pub', not an absolute path"),
    "one-key": (
        f'{TABLE}keys = "/k.pub"\n',
        f"c.toml:2: trust.referrers.keys is '/k.pub', not {PATHS}",
    ),
    "too-many-keys": (
        f"{TABLE}keys = {['/k'] * (MAX_KEY_FILES + 1)}\n",
        f"c.toml:2: trust.referrers.keys is an array of {MAX_KEY_FILES + 1}, not {PATHS}",
    ),
    "a-table-for-an-array": (
        '[trust.referrers.repository]\nmatch = "*"\nkeys = "/k"\n',
        f"c.toml:1: trust.referrers.repository is a table, not {TABLES} (write {WHERE})",
    ),
    "no-match": (
        f'{REPOSITORY}keys = "/k"\n',
        "c.toml:1: trust.referrers.repository does not say for which repositories it is (give match)",
    ),
    "no-keys": (
        f'{REPOSITORY}match = "*"\n',
        "c.toml:1: trust.referrers.repository has no keys (give keys, a file or a folder)",
    ),
    "several-folders": (
        f'{REPOSITORY}match = "*"\nkeys = ["/a"]\n',
        "c.toml:3: trust.referrers.repository.keys is an array of 1, not an absolute path",
    ),
    "unknown-key": (
        "[trust]\nrequire-signature = true\n",
        "c.toml:2: unknown key 'trust.require-signature' (it belongs under [trust.referrers])",
    ),
    "too-many-repositories": (
        f'{REPOSITORY}match = "*"\nkeys = "/k"\n' * (MAX_RULES + 1),
        f"c.toml:1: trust.referrers.repository is an array of {MAX_RULES + 1}, not {TABLES}",
    ),
    "nobody-trusted": (
        REQUIRED,
        f"c.toml:2: trust.referrers.require-signature is true, and no key is trusted (give keys, or {WHERE})",
    ),
    "missing": (
        f'{REQUIRED}keys = ["/missing/k.pub"]\n',
        "c.toml:3: trust.referrers.keys: /missing/k.pub cannot be read: No such file or directory",
    ),
    "missing-folder": (
        f'{REQUIRED}{REPOSITORY}match = "*"\nkeys = "/missing"\n',
        "c.toml:3: trust.referrers.repository.keys: /missing cannot be read: No such file or directory",
    ),
}


@pytest.mark.parametrize(("text", "fault"), ONE_FAULT.values(), ids=ONE_FAULT.keys())
def test_a_fault_is_told_with_its_place(text: str, fault: str) -> None:
    assert faults(text) == [fault]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"x", "holds no public key in PEM form (only ECDSA P-256 and Ed25519 can be used)", id="garbage"),
        pytest.param(b"-----BEGIN PRIVATE KEY-----", "holds a private key (keep that one where", id="private"),
    ],
)
def test_a_file_that_holds_no_usable_key_is_a_fault(key: Path, content: bytes, reason: str) -> None:
    bad = key.with_name("bad.pub")
    bad.write_bytes(content)
    [told] = faults(f'{REQUIRED}keys = ["{key}", "{bad}"]\n')
    assert told.startswith(f"c.toml:3: trust.referrers.keys: {bad} {reason}")
    in_folder = f'{REQUIRED}{REPOSITORY}match = "*"\nkeys = "{key.parent}"\n'
    parse(in_folder)  # beside one that is good it costs itself
    key.unlink()
    [told] = faults(in_folder)
    assert told.startswith(f"c.toml:3: trust.referrers.repository.keys: {bad} {reason}")


def test_without_its_library_no_signature_can_be_asked_for(key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.serialization", None)
    [fault] = faults(f'{REQUIRED}keys = ["{key}"]\n')
    assert fault.startswith("c.toml:2: trust.referrers.require-signature: the library that checks signatures is not")
    assert fault.endswith("(install imagefit[signatures])")
    assert parse(f'{TABLE}keys = ["{key}"]\n').trust.referrers.keys == (str(key),)


def test_all_files_together_may_have_only_so_many_repositories(tmp_path: Path) -> None:
    main, folder = tmp_path / "c.toml", tmp_path / "c.d"
    folder.mkdir()
    main.write_text(f'{REPOSITORY}match = "*"\nkeys = "/k"\n' * MAX_RULES)
    assert len(read_config(main).config.trust.referrers.repository) == MAX_RULES
    (folder / "more.toml").write_text(f'{REPOSITORY}match = "*"\nkeys = "/k"\n')
    with pytest.raises(FaultyConfigurationError) as caught:
        read_config(main)
    assert [str(fault) for fault in caught.value.faults] == [
        f"{folder / 'more.toml'}:1: more than {MAX_RULES} {WHERE}, all files together"
    ]


def test_keys_may_stand_in_another_file_than_what_asks_for_them(tmp_path: Path, key: Path) -> None:
    main, folder = tmp_path / "c.toml", tmp_path / "c.d"
    folder.mkdir()
    main.write_text(REQUIRED)
    for number in (1, 2):
        (folder / f"{number}.toml").write_text(f'{REPOSITORY}match = "{number}/*"\nkeys = "{key}"\n')
    config = read_config(main).config
    assert [one.match for one in config.trust.referrers.repository] == ["1/*", "2/*"]
    key.write_text("x")
    with pytest.raises(FaultyConfigurationError) as caught:
        read_config(main)
    assert [(fault.file, fault.line) for fault in caught.value.faults] == [
        (str(folder / "1.toml"), 1),
        (str(folder / "2.toml"), 1),
    ]
