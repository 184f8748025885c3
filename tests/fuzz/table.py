"""All targets by their names: the one table that the fuzzer, the replay of the corpus and the properties go by."""

from collections.abc import Mapping
from typing import Final

from fuzz import of_daemon, of_kubelet, of_model, of_node, of_registry, of_trust
from fuzz.contract import Target

TARGETS: Final[Mapping[str, Target]] = {
    target.name: target
    for module in (of_model, of_registry, of_node, of_daemon, of_kubelet, of_trust)
    for target in module.targets()
}
