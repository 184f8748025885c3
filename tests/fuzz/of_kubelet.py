"""Targets: the files of kubelet's that ``imagefit install`` changes."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from fuzz.contract import Target, parts_of, text_of
from imagefit.errors import KubeletConfigurationError
from imagefit.kubelet.document import Document
from imagefit.kubelet.variables import Variables, flag_of, words_of

_KEY: Final = "imageServiceEndpoint"
_VALUE: Final = "unix:///run/imagefit/imagefit.sock"
_AFTER: Final = "kind"
# What reads these is written in Python, and takes a second for some hundred KiB; kubelet's own have a few.
_LIMIT_BYTES: Final = 8 * 1024


def _document(content: bytes) -> None:
    document = Document(content, "config.yaml")
    document.values(_KEY), document.values("containerRuntimeEndpoint")
    with suppress(KubeletConfigurationError):
        put = document.with_key(_KEY, _VALUE, _AFTER)
        assert Document(put, "config.yaml").value(_KEY) == _VALUE
        if not document.has(_KEY):
            # What is put in is taken out again, and nothing else.
            assert Document(Document(put, "x").without_key(_KEY), "x").plain() == document.plain()


def _variables(content: bytes) -> None:
    file, flag = parts_of(content, 2)
    variables = Variables(file, "kubeadm-flags.env")
    for name, value in variables.all().items():
        flag_of(words_of(value), "config")
        with suppress(KubeletConfigurationError):
            put = variables.with_flag(name, "--x=y")
            assert "--x=y" in Variables(put, "x").all()[name]
    words_of(text_of(flag))


def targets() -> Iterator[Target]:
    """Yield the targets."""
    keys = (
        b"imageServiceEndpoint: ",
        b"kind: KubeletConfiguration\n",
        b"- ",
        b": ",
        b"|\n",
        b"&a ",
        b"*a",
        b"{",
        b"\r\n",
        b"~",
    )
    yield Target("kubelet-document", _document, (KubeletConfigurationError,), (*keys, b"\xe2\x80\xa8"), _LIMIT_BYTES)
    words = (b'KUBELET_KUBEADM_ARGS="', b"--config=", b"\\\n", b"'", b'"', b"=", b"\r\n")
    yield Target("kubelet-variables", _variables, (KubeletConfigurationError,), words, _LIMIT_BYTES)
