"""What install changes on each kind of node, and what it refuses to: on trees in memory."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as some

from imagefit.errors import KubeletConfigurationError
from imagefit.kubelet.layout import Kind, Way
from imagefit.kubelet.planning import (
    DEFAULT_CONTAINERD,
    Change,
    Receipt,
    Written,
    changes_to_install,
    changes_to_undo,
    digest,
    read_layout,
)
from kubelet.trees import CONFIG, ENDPOINT, FLAGS, LAYOUTS, MINIMAL, OLD, REFUSED, Files, MemoryTree, kubeadm, rancher


def planned(tree: MemoryTree, *running: list[str], containerd: str = DEFAULT_CONTAINERD) -> tuple[Change, ...]:
    layout = read_layout(tree, running)
    return changes_to_install(tree, layout, ENDPOINT, containerd=containerd, config_folder="/etc/imagefit/config.d")


def carried_out(tree: MemoryTree, changes: tuple[Change, ...]) -> Receipt:
    done = []
    for change in changes:
        assert change.after is not None
        assert tree.files.get(change.path) == change.before
        before = None if change.before is None else digest(change.before)
        done.append(Written(change.path, before, digest(change.after), change.way, change.variable))
        tree.files[change.path] = change.after
    return Receipt(ENDPOINT, tuple(done), "kubelet")


def undone(tree: MemoryTree, receipt: Receipt, changes: tuple[Change, ...]) -> None:
    for change in changes_to_undo(tree, receipt, [one.before for one in changes]):
        if change.after is None:
            del tree.files[change.path]
        else:
            tree.files[change.path] = change.after


@pytest.mark.parametrize("name", LAYOUTS)
def test_only_what_is_told_changes_once_and_goes_again(name: str) -> None:
    files, added = LAYOUTS[name]
    tree = MemoryTree(files)
    changes = planned(tree)
    receipt = carried_out(tree, changes)
    assert {change.path for change in changes} == set(added)
    for path, text in added.items():
        assert tree.files[path].decode().count(text) == 1
    assert planned(tree) == ()  # a second time there is nothing to do
    undone(tree, receipt, changes)
    assert tree.files == files


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_understood_is_left_alone_and_told(name: str) -> None:
    files, why = REFUSED[name]
    with pytest.raises(KubeletConfigurationError) as refused:
        planned(MemoryTree(files))
    assert why in refused.value.message
    assert refused.value.advice


RUNNING = [
    pytest.param([["/usr/bin/kubelet", "--config=/etc/k.yaml"]], "/etc/k.yaml", id="its-file"),
    pytest.param([["/usr/bin/kubelet", "--config", "/etc/k.yaml"]] * 2, "/etc/k.yaml", id="two-of-one-kind"),
    pytest.param([["kubelet", "--config", "/x", "--config-dir=/d"]], None, id="file-that-is-not-there"),
    pytest.param([["kubelet", "--config=/etc/k.yaml"], ["kubelet"]], None, id="two-that-differ"),
    pytest.param([["kubelet", "--config=etc/k.yaml"]], None, id="file-by-a-relative-path"),
    pytest.param([["kubelet", "--config=/etc/k.yaml", "--config-dir=d"]], None, id="folder-by-a-relative-path"),
]


@pytest.mark.parametrize(("running", "path"), RUNNING)
def test_a_kubelet_without_a_unit_says_itself_what_it_reads(running: list[list[str]], path: str | None) -> None:
    tree = MemoryTree({"/etc/k.yaml": MINIMAL, "etc/k.yaml": MINIMAL, "d/a.conf": MINIMAL})
    if path is None:
        with pytest.raises(KubeletConfigurationError):
            planned(tree, *running)
    else:
        assert [change.path for change in planned(tree, *running)] == [path]


def test_a_kubelet_that_runs_with_another_file_than_its_unit_says_is_not_understood() -> None:
    with pytest.raises(KubeletConfigurationError, match="its unit says"):
        planned(MemoryTree(kubeadm()), ["kubelet", "--config=/etc/other.yaml"])
    assert planned(MemoryTree(kubeadm()), ["kubelet", f"--config={CONFIG}"])


def test_a_socket_is_the_same_by_each_of_its_names() -> None:
    for name in (
        "/run/imagefit/imagefit.sock",
        "unix:/run/imagefit/imagefit.sock",
        "unix:///var/run/imagefit/imagefit.sock",
    ):
        assert planned(MemoryTree(kubeadm(MINIMAL + f"imageServiceEndpoint: {name}\n".encode()))) == ()
    with pytest.raises(KubeletConfigurationError, match="names another"):
        planned(MemoryTree(kubeadm(MINIMAL + b"imageServiceEndpoint: unix:///var/imagefit/imagefit.sock\n")))


def test_a_containerd_that_somebody_named_is_left_named() -> None:
    tree = MemoryTree(rancher("k3s"))
    assert [change.path for change in planned(tree, containerd="/run/k3s/containerd/containerd.sock")] == [
        "/etc/rancher/k3s/config.yaml.d/99-imagefit.yaml"
    ]
    assert read_layout(tree, ()).kind is Kind.K3S
    with pytest.raises(KubeletConfigurationError, match="imagefit brings images to /run/other"):
        planned(tree, containerd="/run/other.sock")


CHANGED_SINCE = [
    pytest.param(kubeadm(), CONFIG, b"logging:", b"# new\nlogging:", id="a-line-more"),
    pytest.param(kubeadm(), CONFIG, b"systemd", b"cgroupfs", id="another-value"),
    pytest.param(kubeadm(program=OLD), FLAGS, b"pause:3.9", b"pause:3.10", id="another-flag"),
]


@pytest.mark.parametrize(("files", "path", "old", "new"), CHANGED_SINCE)
def test_a_file_that_was_changed_since_loses_the_line_alone(files: Files, path: str, old: bytes, new: bytes) -> None:
    tree = MemoryTree(files)
    changes = planned(tree)
    receipt = carried_out(tree, changes)
    tree.files[path] = tree.files[path].replace(old, new)
    undone(tree, receipt, changes)
    assert tree.files == files | {path: files[path].replace(old, new)}


@pytest.mark.parametrize("files", [kubeadm(), kubeadm(program=OLD)], ids=["key", "flag"])
def test_a_setting_that_is_gone_or_means_another_is_left(files: Files) -> None:
    tree = MemoryTree(files)
    changes = planned(tree)
    receipt = carried_out(tree, changes)
    for content in (tree.files[changes[0].path].replace(b"imagefit.sock", b"o.sock"), MINIMAL.replace(b"v1", b"v2")):
        tree.files[changes[0].path] = content
        assert changes_to_undo(tree, receipt, [changes[0].before]) == ()


def test_a_file_of_imagefit_that_was_changed_since_is_left_to_who_changed_it() -> None:
    tree = MemoryTree(rancher("k3s"))
    changes = planned(tree)
    receipt = carried_out(tree, changes)
    assert changes[-1].way is Way.FILE
    tree.files[changes[-1].path] += b"- v=9\n"
    with pytest.raises(KubeletConfigurationError, match="was changed since"):
        undone(tree, receipt, changes)


_TEXT = some.text(some.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=8)
_LEAF = some.none() | some.booleans() | some.integers() | _TEXT
_TREE = some.recursive(
    _LEAF, lambda of: some.lists(of, max_size=3) | some.dictionaries(_TEXT, of, max_size=3), max_leaves=8
)
_STYLES = some.fixed_dictionaries(
    {
        "sort_keys": some.booleans(),
        "indent": some.integers(2, 6),
        "explicit_start": some.booleans(),
        "explicit_end": some.booleans(),
        "default_style": some.sampled_from([None, None, None, "'"]),
        "line_break": some.sampled_from(["\n", "\r\n"]),
        "width": some.sampled_from([20, 80, 4096]),
    }
)


@given(
    settings=some.dictionaries(
        _TEXT.filter(lambda key: key not in {"imageServiceEndpoint", "kind"}), _TREE, max_size=5
    ),
    style=_STYLES,
    ending=some.sampled_from(["", "\n", "# the end", "\n\n# the end\n"]),
)
def test_whatever_the_file_says_only_one_key_is_added_and_taken_away(
    settings: dict[str, object], style: dict[str, Any], ending: str
) -> None:
    written = yaml.safe_dump(
        settings | {"kind": "KubeletConfiguration"}, allow_unicode=True, default_flow_style=False, **style
    )
    before = (written + ending).encode()
    tree = MemoryTree({CONFIG: before})
    try:
        changes = planned(tree)
    except KubeletConfigurationError:
        # Never wrong, but not always able: quotes around everything bring explicit types.
        assert "!!" in written or "? " in written or "&" in written
        return
    receipt = carried_out(tree, changes)
    after = yaml.safe_load(tree.files[CONFIG])
    assert after.pop("imageServiceEndpoint") == ENDPOINT
    assert after == yaml.safe_load(before)
    lines = before.decode().splitlines()
    assert [line for line in tree.files[CONFIG].decode().splitlines() if ENDPOINT not in line] == lines
    undone(tree, receipt, changes)
    assert tree.files == {CONFIG: before}
