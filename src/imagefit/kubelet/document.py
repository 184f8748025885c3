"""One key of a YAML file: read, put in, taken out, and not a byte of the rest changed.

Knows that an edit of text is right only where the text is read again and differs in that key alone. Leaves which key,
and in which file, to ``layout``. Source: YAML 1.1 as PyYAML reads it, which is what kubelet's and k3s' parsers share.
"""

import re
from typing import Any, Final

import yaml

from imagefit.errors import KubeletConfigurationError

# Ten times what anybody writes; the parser takes half a second for as much.
_MAX_BYTES: Final = 1 << 15
_ADVICE: Final = "change it by hand, see docs/how-to/install.md"
_BREAK: Final = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_NULL: Final = "tag:yaml.org,2002:null"
_TEXT: Final = "tag:yaml.org,2002:str"


class Document:
    """A YAML file whose whole content is one mapping.

    Args:
        content: all bytes of the file.
        path: for messages.

    Raises:
        KubeletConfigurationError: it is no such file, or a key of it stands twice.
    """

    def __init__(self, content: bytes, path: str) -> None:
        """Read it."""
        self.path = path
        if len(content) > _MAX_BYTES:
            raise self._refused(f"is larger than {_MAX_BYTES} bytes")
        try:
            self.text = content.decode()
            root = yaml.compose(self.text, Loader=yaml.SafeLoader)
        except UnicodeDecodeError as error:
            raise self._refused("is not UTF-8") from error
        except (yaml.YAMLError, RecursionError) as error:
            raise self._refused(f"is not one YAML document: {_first_line(error)}") from error
        if not isinstance(root, yaml.MappingNode):
            raise self._refused("holds no settings")
        self._root = root
        self._entries = {str(key.value): (key, value) for key, value in self._root.value}
        if len(self._entries) != len(self._root.value):
            raise self._refused("has a key twice")

    def value(self, key: str) -> str:
        """Return the text of a key; empty where it is not there, is null or no text."""
        _, node = self._entries.get(key, (None, None))
        return node.value if isinstance(node, yaml.ScalarNode) and node.tag != _NULL else ""

    def values(self, key: str) -> list[str]:
        """Return the texts of a list; a single text is a list of one."""
        _, node = self._entries.get(key, (None, None))
        if isinstance(node, yaml.SequenceNode):
            return [one.value for one in node.value if isinstance(one, yaml.ScalarNode)]
        return [self.value(key)] if self.value(key) else []

    def has(self, key: str) -> bool:
        """Tell whether a key is there, whatever it says."""
        return key in self._entries

    def with_key(self, key: str, value: str, after: str) -> bytes:
        """Return the file with a key that was not there or said nothing.

        Args:
            key: a plain word.
            value: text that needs no quotes.
            after: a key of one line, below which the new one is put.

        Raises:
            KubeletConfigurationError: the file is written in a way that is not edited here, such as JSON.
        """
        before = self.plain()
        edited = self._filled(key, value) if key in self._entries else self._inserted(key, value, after)
        pair = (_TEXT, key), (_TEXT, value)
        expected = [one for one in before if one[0] != pair[0]]
        found = Document(edited.encode(), self.path).plain()
        if pair not in found or [one for one in found if one != pair] != expected:
            raise self._refused("is written in a way that is not understood")
        return edited.encode()

    def without_key(self, key: str) -> bytes:
        """Return the file without a key, which has a line of its own.

        Raises:
            KubeletConfigurationError: the key cannot be told from the rest.
        """
        before = self.plain()
        node, value = self._entries[key]
        start = node.start_mark.index - node.start_mark.column
        _, end = self._line_end(value.end_mark.index)
        edited = f"{self.text[:start]}{self.text[end:]}"
        expected = [one for one in before if one[0] != (_TEXT, key)]
        if not expected or Document(edited.encode(), self.path).plain() != expected:
            raise self._refused(f"has {key} where it cannot be taken out")
        return edited.encode()

    def plain(self) -> list[Any]:
        """Return the content as plain values, in the order of the file.

        Raises:
            KubeletConfigurationError: it is written in a way that is not edited here.
        """
        if self._root.flow_style:
            raise self._refused("is written as JSON")
        plain: list[Any] = self._plain(self._root, set())
        return plain

    def _inserted(self, key: str, value: str, after: str) -> str:
        if after not in self._entries:
            raise self._refused(f"has no {after}")
        node, last = self._entries[after]
        added = f"{' ' * node.start_mark.column}{key}: {value}"
        ending, at = self._line_end(last.end_mark.index)
        if ending:
            return f"{self.text[:at]}{added}{ending}{self.text[at:]}"
        newline = found[0] if (found := _BREAK.search(self.text)) else "\n"
        return f"{self.text}{newline}{added}"

    def _filled(self, key: str, value: str) -> str:
        _, node = self._entries[key]
        if not isinstance(node, yaml.ScalarNode) or self.value(key):
            raise self._refused(f"has a {key} already")
        start, end = node.start_mark.index, node.end_mark.index
        space = "" if start and self.text[start - 1] == " " else " "
        return f"{self.text[:start]}{space}{value}{self.text[end:]}"

    def _line_end(self, index: int) -> tuple[str, int]:
        """Return how a line ends, and where the next one begins; the last one may end with nothing."""
        found = _BREAK.search(self.text, index)
        return (found[0], found.end()) if found else ("", len(self.text))

    def _plain(self, node: yaml.Node, seen: set[int]) -> Any:  # noqa: ANN401 - a tree of any depth
        if id(node) in seen:  # few of them can stand for more than fits into memory
            raise self._refused("has aliases")
        seen.add(id(node))
        match node:
            case yaml.MappingNode():
                pairs = [(self._plain(key, seen), self._plain(value, seen)) for key, value in node.value]
                if len({repr(key) for key, _ in pairs}) != len(pairs):
                    raise self._refused("has a key twice")
                return pairs
            case yaml.SequenceNode():
                return [("item", self._plain(one, seen)) for one in node.value]
            case _:
                return node.tag, node.value

    def _refused(self, why: str) -> KubeletConfigurationError:
        return KubeletConfigurationError(f"{self.path} {why}", advice=_ADVICE)


def _first_line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or type(error).__name__
    return f"{problem} in line {mark.line + 1}" if mark else str(problem)
