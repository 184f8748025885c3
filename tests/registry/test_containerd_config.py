"""What containerd's own ``config.toml`` says of registries, by version and imports, and what is refused of it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagefit.errors import InvalidConfigurationError
from imagefit.model.credentials import AuthConfig
from imagefit.registry.containerd_config import ContainerdRegistries, TlsFiles, read_containerd_config
from imagefit.registry.mirrors import mirror_hosts
from imagefit.registry.sources import Sources

V1, V2, V3 = "cri", '"io.containerd.grpc.v1.cri"', '"io.containerd.cri.v1.images"'
SECRET = "planted-5ecret"  # noqa: S105  # planted to be looked for


def read(folder: Path, text: str, **imports: str) -> ContainerdRegistries:
    (folder / "config.toml").write_text(text)
    for name, content in imports.items():
        (folder / f"{name}.toml").write_text(content)
    return read_containerd_config(folder / "config.toml", Sources())


SECTIONS = [
    ("", V1, True),
    ("version = 0\n", V1, True),
    ("version = 1\n", V1, True),
    ("", V2, False),
    ("version = 2\n", V2, True),
    ("version = 2\n", V1, False),
    ("version = 2\n", V3, False),
    ("version = 3\n", V3, True),
    ("version = 3\n", V2, False),
    ("version = 4\n", V3, True),
]


@pytest.mark.parametrize(("version", "plugin", "counts"), SECTIONS)
def test_the_section_of_a_version(tmp_path: Path, version: str, plugin: str, counts: bool) -> None:  # noqa: FBT001
    found = read(tmp_path, f'{version}[plugins.{plugin}.registry]\nconfig_path = "/a:/b"')
    assert found.config_path == ("/a:/b" if counts else None)
    assert found.config_paths == ((Path("/a"), Path("/b")) if counts else ())


def test_a_file_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert read_containerd_config(tmp_path / "config.toml", Sources()) == ContainerdRegistries()


WHOLE = f"""
version = 2
[plugins.{V2}.registry.mirrors]
"docker.io".endpoint = ["https://one", "https://two/v2"]
"*".endpoint = []
[plugins.{V2}.registry.configs."h:5000".tls]
ca_file = "ca.pem"
cert_file = "a.cert"
key_file = "a.key"
insecure_skip_verify = true
[plugins.{V2}.registry.configs."h:5000".auth]
username = "user"
password = "{SECRET}"
auth = "{SECRET}"
identitytoken = "{SECRET}"
[plugins.{V2}.registry.configs."other"]
[plugins.{V2}.registry.auths."https://h:6000/path"]
username = "older"
[plugins.{V2}.registry.headers]
X-Key = ["{SECRET}", "2"]
"""


def test_every_table(tmp_path: Path) -> None:
    found = read(tmp_path, WHOLE)
    assert found.mirrors == {"docker.io": ("https://one", "https://two/v2"), "*": ()}
    assert found.tls == {"h:5000": TlsFiles("ca.pem", "a.cert", "a.key", insecure_skip_verify=True)}
    assert found.auths == {
        "h:5000": AuthConfig("user", SECRET, SECRET, "", SECRET),
        "h:6000": AuthConfig("older"),
    }
    assert found.headers == (("X-Key", SECRET), ("X-Key", "2"))
    assert SECRET not in repr(found)


LEGACY = {
    "": False,
    'config_path = "/x"': False,
    'config_path = ""': True,
    'mirrors."*".endpoint = ["https://x"]': True,
    'configs."h".tls.ca_file = "x"': True,
    'configs."h".auth.username = "x"': False,
    'headers.X = ["1"]': False,
}


@pytest.mark.parametrize(("line", "is_legacy"), LEGACY.items(), ids=LEGACY)
def test_where_containerd_reads_no_folders(tmp_path: Path, line: str, is_legacy: bool) -> None:  # noqa: FBT001
    assert read(tmp_path, f"version = 2\n[plugins.{V2}.registry]\n{line}").is_legacy is is_legacy


def test_until_version_3_the_later_section_stands_whole(tmp_path: Path) -> None:
    main = f'version = 2\nimports = ["more.toml"]\n[plugins.{V2}.registry]\nconfig_path = "/x"'
    assert read(tmp_path, main, more=f"[plugins.{V2}]\nx = 1").config_path is None
    assert read(tmp_path, main, more="[plugins.other]\nx = 1").config_path == "/x"


def test_since_version_3_sections_are_merged(tmp_path: Path) -> None:
    main = f'version = 3\nimports = ["more.toml"]\n[plugins.{V3}.registry]\nconfig_path = "/x"\nheaders.A = ["1"]'
    found = read(tmp_path, main, more=f'[plugins.{V3}.registry]\nheaders.B = ["2"]\n[plugins.{V3}.x]')
    assert (found.config_path, found.headers) == ("/x", (("A", "1"), ("B", "2")))
    assert read(tmp_path, main, more=f'[plugins.{V3}.registry]\nconfig_path = "/y"').config_path == "/y"


def test_imports_come_in_the_order_of_names_and_once_each(tmp_path: Path) -> None:
    (tmp_path / "conf.d" / "c.toml").mkdir(parents=True)  # no file
    for name in ("b", "a"):
        text = f'imports = ["*.toml", "../config.toml"]\n[plugins.{V2}.registry]\nconfig_path = "/{name}"'
        (tmp_path / "conf.d" / f"{name}.toml").write_text(text)
    assert read(tmp_path, 'version = 2\nimports = ["conf.d/*.toml", "nothing.d/*"]').config_path == "/b"


def test_a_change_of_any_file_is_seen(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "config.toml").write_text('imports = ["conf.d/*.toml"]')
    sources = Sources(lambda: 2**62)
    read_containerd_config(tmp_path / "config.toml", sources)
    assert sources.unchanged
    (tmp_path / "conf.d" / "new.toml").touch()
    assert not sources.unchanged


R = f"[plugins.{V2}.registry"
REFUSED = {
    "not-toml": (f'password = "{SECRET}', "not TOML (at "),
    "not-text": ("\udcff", "not TOML"),
    "version": ('version = "2"', "version is not a number"),
    "plugins": ("version = 2\nplugins = 1", "plugins is not a table"),
    "plugin": ("version = 2\n[plugins]\n" + V2 + " = 1", 'plugins."io.containerd.grpc.v1.cri" is not a table'),
    "registry": (f"version = 2\n[plugins.{V2}]\nregistry = 1", "registry is not a table"),
    "config-path": (f"version = 2\n{R}]\nconfig_path = 1", "registry.config_path is not a string"),
    "mirrors": (f"version = 2\n{R}]\nmirrors = 1", "registry.mirrors is not a table"),
    "mirror": (f"version = 2\n{R}.mirrors]\nx = 1", "mirrors.x is not a table"),
    "endpoint": (f'version = 2\n{R}.mirrors.x]\nendpoint = "x"', "mirrors.x.endpoint is not a list of strings"),
    "password": (f"version = 2\n{R}.configs.x.auth]\npassword = 5", "configs.x.auth.password is not a string"),
    "skip": (f"version = 2\n{R}.configs.x.tls]\ninsecure_skip_verify = 5", "insecure_skip_verify is not true or false"),
    "headers": (f'version = 2\n{R}.headers]\n"X Y" = ["{SECRET}"]', "headers.X Y is not a header"),
    "imports": ("imports = 1", "imports is not a list of strings"),
    "import-missing": ('imports = ["missing.toml"]', "missing.toml: is imported and not there"),
    "import-is-a-folder": ('imports = ["../"]', "cannot be read"),
    "import-by-two-patterns": ('imports = ["*/x/*.toml"]', "only the name"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_what_containerd_could_not_start_with(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "config.toml").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InvalidConfigurationError) as caught:
        read_containerd_config(tmp_path / "config.toml", Sources())
    assert message in str(caught.value)
    assert str(tmp_path.parent) in str(caught.value)
    assert SECRET not in str(caught.value)


def test_imports_are_bounded(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / f"{number}.toml").touch()
    with pytest.raises(InvalidConfigurationError, match="more than 64 files"):
        read(tmp_path, 'imports = ["*.toml"]')


@given(content=st.binary() | st.text().map(str.encode))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(content)
    try:
        read_containerd_config(file, Sources())
    except InvalidConfigurationError as error:
        assert str(file) in str(error)  # noqa: PT017


def test_a_file_that_would_take_the_toml_library_minutes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigurationError, match="not TOML"):
        read(tmp_path, "a." * 1001 + "a = 1")
    with pytest.raises(InvalidConfigurationError, match="not TOML"):
        read(tmp_path, "\n".join(f"a{number} = '{'.' * 900}'" for number in range(12)))
    assert read(tmp_path, "a." * 999 + "a = 1") == ContainerdRegistries()


def test_names_of_many_parts_are_merged(tmp_path: Path) -> None:
    deep = f"version = 3\n[plugins.{'a.' * 900}a]\n{'a.' * 900}a = 1\n"
    found = read(tmp_path, f'imports = ["b.toml"]\n{deep}', b=deep)
    assert found == ContainerdRegistries()


def test_a_port_of_thousands_of_digits_is_no_port(tmp_path: Path) -> None:
    endpoint = f"localhost:{'9' * 5000}"
    found = read(tmp_path, f'[plugins.cri.registry.mirrors."a.b"]\nendpoint = ["{endpoint}"]\n')
    with pytest.raises(InvalidConfigurationError, match=r"an endpoint of a\.b is no URL of a host"):
        mirror_hosts(found, "a.b")
