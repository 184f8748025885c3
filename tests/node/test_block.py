"""Block devices."""

import pytest

from imagefit.node.contract import CannotLookError
from imagefit.node.detectors.block import BlockDetector
from node.conftest import MakeHost

_QUEUE = {"dax": "0\n", "rotational": "0\n", "nr_zones": "0\n", "zoned": "none\n", "scheduler": "[none] mq-deadline\n"}


def test_devices_are_described_by_their_queues(make_host: MakeHost) -> None:
    files = {f"/sys/block/nvme0n1/queue/{name}": value for name, value in _QUEUE.items()}
    files |= {"/sys/block/loop0/queue/rotational": "1\n", "/sys/block/dm-0/queue/rotational/x": "a directory"}
    files |= {"/sys/block/nvme0n1/nvme0n1p1/partition": "1\n", "/sys/block/nvme0n1/serial": "no business of ours\n"}
    assert BlockDetector().detect(make_host({**files})).instances["storage.block"] == (
        {"name": "dm-0"},
        {"name": "loop0", "rotational": "1"},
        {"name": "nvme0n1", "dax": "0", "rotational": "0", "nr_zones": "0", "zoned": "none"},
    )


def test_a_machine_without_block_devices_is_known_to_have_none(make_host: MakeHost) -> None:
    assert BlockDetector().detect(make_host({"/sys/class/net/x": ""})).instances == {"storage.block": ()}


@pytest.mark.parametrize("files", [{}, {"/sys/bus/x": ""}], ids=["no-sysfs", "no-classes"])
def test_without_sysfs_nothing_is_known(make_host: MakeHost, files: dict[str, str]) -> None:
    with pytest.raises(CannotLookError):
        BlockDetector().detect(make_host({**files}))
