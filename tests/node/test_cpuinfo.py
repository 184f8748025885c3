"""/proc/cpuinfo of every architecture that containers run on."""

import pytest

from imagefit.node.cpuinfo import first_cpu, machine_of


def test_only_the_first_block_is_read() -> None:
    text = "processor\t: 0\nmodel name\t: A: B\npower management:\n\nprocessor\t: 1\nmodel name\t: C\nflags\t: x\n"
    assert first_cpu(text) == {"processor": "0", "model name": "A: B", "power management": ""}


@pytest.mark.parametrize("text", ["", "\n\n", "no colon here\n"])
def test_text_without_a_field_describes_no_cpu(text: str) -> None:
    assert first_cpu(text) == {}


@pytest.mark.parametrize(
    ("text", "machine"),
    [
        pytest.param("flags : fpu lm sse2\n", "x86_64", id="amd64"),
        pytest.param("flags : fpu sse2\n", "i686", id="386"),
        pytest.param("Features : fp asimd\nCPU implementer : 0x41\n", "aarch64", id="arm64"),
        pytest.param(
            "Features : half thumb neon\nCPU implementer : 0x41\nCPU architecture: 7\n", "armv7l", id="arm-v7"
        ),
        pytest.param("Features : half thumb vfp\nCPU implementer : 0x41\nCPU architecture: 6TEJ\n", "armv6l", id="v6"),
        pytest.param("processor : 0\nisa : rv64imafdc\n", "riscv64", id="riscv64"),
        pytest.param("processor : 0\ncpu : POWER9 (architected), altivec supported\n", "ppc64le", id="ppc64le"),
        pytest.param("vendor_id : IBM/S390\nfeatures : esan3 zarch\n", "s390x", id="s390x"),
        pytest.param("CPU Family : Loongson-64bit\n", "loongarch64", id="loong64"),
        pytest.param("processor : 0\nisa : rv32imac\n", "", id="riscv32"),
        pytest.param("", "", id="empty"),
    ],
)
def test_the_shape_tells_the_machine(text: str, machine: str) -> None:
    assert machine_of(text) == machine
