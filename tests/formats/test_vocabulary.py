"""Every label of the vocabulary: where its answer is, when it holds, when it does not, and when that is not known."""

from collections.abc import Mapping

import pytest

from builders import facts
from imagefit.errors import InvalidDocumentError
from imagefit.formats.vocabulary import checks_of_flags, checks_of_label
from imagefit.model.facts import Facts, Node
from imagefit.model.truth import Truth, all_of
from imagefit.selection.match import judge

_FLAGS = {"cpu.cpuid": ["AVX2", "AVX512FP16", "SSE4", "ASIMDDP"]}
_NODE = facts(
    flags=_FLAGS
    | {
        "cpu.microarchitecture": ["icelake", "skylake_avx512", "x86_64_v4", "x86_64"],
        "kernel.loadedmodule": ["nvidia", "nvidia_uvm"],
        "kernel.enabledmodule": ["ext4", "fuse"],
    },
    attributes={
        "cpu.model": {"vendor_id": "Intel"},
        "kernel.version": {"full": "5.14.0-427.el9.x86_64"},
        "kernel.config": {"PREEMPT": "y", "NUMA": "m", "HZ": "250", "LSM": "lockdown,yama", "OFF": "n"},
        "kernel.selinux": {"enabled": "true"},
        "kernel.cmdline": {"iommu": "pt", "quiet": "", "isolcpus": "1,2,3"},
        "system.libc": {"glibc": "2.34"},
        "local.feature": {"oci.os.openmpi": "4.1.5", "oci.kernel.modules.lustre": "2.15.3"},
        "local.label": {"site.org/rack": "7"},
    },
    instances={
        "pci.device": [
            {"class": "0302", "vendor": "10de", "device": "2336"},
            {"class": "0200", "vendor": "15b3", "device": "101b"},
        ]
    },
)


def _truth(label: str, value: str, known: Facts) -> Truth:
    node = Node("linux", "amd64", "v1", known)
    return all_of(judge(check, node).truth for check in checks_of_label(label, value))


@pytest.mark.parametrize(
    ("label", "value"),
    [
        pytest.param("oci.cpu.vendor", "GenuineIntel", id="vendor as the CPU says"),
        pytest.param("oci.cpu.vendor", "Intel", id="vendor as NFD says"),
        pytest.param("oci.cpu.vendor", "genuineintel", id="vendor in any case"),
        pytest.param("oci.cpu.features", "AVX512FP16,", id="features in NFD's spelling"),
        pytest.param("oci.cpu.features", "avx512_fp16, avx2", id="features in the kernel's spelling"),
        pytest.param("oci.cpu.features", "sse41", id="feature in Go's spelling"),
        pytest.param("oci.cpu.features", "sse4_1", id="sse4_1"),
        pytest.param("oci.cpu.features", "asimddp", id="feature of arm64"),
        pytest.param("oci.cpu.microarchitecture", "icelake", id="the CPU's own target"),
        pytest.param("oci.cpu.microarchitecture", "x86_64_v4", id="an ancestor of the target"),
        pytest.param("oci.kernel.version", ">=5.10", id="kernel"),
        pytest.param("oci.kernel.version", "5.14.0-427.el9.x86_64", id="kernel as the node reports it"),
        pytest.param("oci.kernel.version", "5.14", id="kernel without its build"),
        pytest.param("oci.kernel.versions", "[4.19, 5.16)", id="kernel, plural label"),
        pytest.param("oci.kernel.configurations", "PREEMPT,", id="option"),
        pytest.param("oci.kernel.configurations", "CONFIG_PREEMPT", id="option with prefix"),
        pytest.param("oci.kernel.configurations", "CONFIG_PREEMPT=y", id="option with value"),
        pytest.param("oci.kernel.configurations", "NUMA", id="an option may be a module"),
        pytest.param("oci.kernel.configurations", "NUMA=m", id="option as a module"),
        pytest.param("oci.kernel.configurations", "CONFIG_HZ=250", id="option with a number"),
        pytest.param("oci.kernel.configurations", "ABSENT=n", id="option that is not set"),
        pytest.param("oci.kernel.configurations", "OFF=n", id="option that is n"),
        pytest.param("oci.kernel.configurations", "PREEMPT, CONFIG_NUMA=m, ABSENT=n", id="options"),
        pytest.param("oci.kernel.modules", "nvidia", id="loaded module"),
        pytest.param("oci.kernel.modules", "ext4", id="built-in module"),
        pytest.param("oci.kernel.modules", "nvidia-uvm, fuse,", id="modules, a dash for an underscore"),
        pytest.param("oci.kernel.modules.nvidia-uvm", "true", id="module by label"),
        pytest.param("oci.kernel.modules.nvidia", "", id="module by label without a value"),
        pytest.param("oci.kernel.modules.nouveau", "false", id="module that must not be there"),
        pytest.param("oci.kernel.modules.lustre", ">=2.15", id="version of a module, a fact of that name"),
        pytest.param("oci.kernel.selinux", "true", id="selinux"),
        pytest.param("oci.kernel.selinux", "TRUE", id="selinux in any case"),
        pytest.param("oci.kernel.cmdline.iommu", "pt", id="parameter"),
        pytest.param("oci.kernel.cmdline.quiet", "", id="parameter without a value"),
        pytest.param("oci.kernel.cmdline.isolcpus", "2,3", id="parameter that is a list"),
        pytest.param("oci.os.glibc", ">=2.31, <=2.37", id="C library"),
        pytest.param("oci.pci.devices", "10DE.2336", id="device in any case"),
        pytest.param("oci.pci.devices", "10de.2336,15B3.101b,", id="devices"),
        pytest.param("oci.pci.devices", "0x10de:0x2336", id="device as lspci writes it"),
        pytest.param("oci.os.openmpi", ">=4.1", id="a declared fact"),
        pytest.param("oci.os.openmpi", "4.1.5", id="a declared fact, plain"),
        pytest.param("site.org/rack", "7", id="a label of NFD's"),
    ],
)
def test_a_label_holds(label: str, value: str) -> None:
    assert _truth(label, value, _NODE) is Truth.YES


@pytest.mark.parametrize(
    ("label", "value"),
    [
        pytest.param("oci.cpu.vendor", "AuthenticAMD", id="vendor as the CPU says"),
        pytest.param("oci.cpu.vendor", "AMD", id="vendor as NFD says"),
        pytest.param("oci.cpu.vendor", "NoSuchVendor", id="unknown vendor"),
        pytest.param("oci.cpu.features", "AVX512FP16,AMXTILE", id="one feature missing"),
        pytest.param("oci.cpu.features", "AVX", id="a feature is no prefix"),
        pytest.param("oci.cpu.features", "nosuchfeature", id="unknown feature"),
        pytest.param("oci.cpu.microarchitecture", "sapphirerapids", id="newer target"),
        pytest.param("oci.cpu.microarchitecture", "zen4", id="other vendor's target"),
        pytest.param("oci.kernel.version", ">=5.15", id="kernel"),
        pytest.param("oci.kernel.version", "5.14.0-428", id="kernel by build"),
        pytest.param("oci.kernel.versions", "[4.19, 5.14)", id="kernel, plural label"),
        pytest.param("oci.kernel.configurations", "ABSENT", id="option that is not set"),
        pytest.param("oci.kernel.configurations", "OFF", id="option that is n"),
        pytest.param("oci.kernel.configurations", "PREEMPT=n", id="option that must not be set"),
        pytest.param("oci.kernel.configurations", "NUMA=n", id="option that is a module and must not be set"),
        pytest.param("oci.kernel.configurations", "PREEMPT=m", id="built in, asked as a module"),
        pytest.param("oci.kernel.configurations", "NUMA=y", id="a module, asked as built in"),
        pytest.param("oci.kernel.configurations", "HZ", id="a number is neither y nor m"),
        pytest.param("oci.kernel.configurations", "HZ=1000", id="other number"),
        pytest.param("oci.kernel.configurations", "PREEMPT,ABSENT", id="one option missing"),
        pytest.param("oci.kernel.modules", "nouveau", id="absent module"),
        pytest.param("oci.kernel.modules", "nvidia,nouveau", id="one module missing"),
        pytest.param("oci.kernel.modules.nouveau", "true", id="absent module by label"),
        pytest.param("oci.kernel.modules.nvidia-uvm", "false", id="loaded module that must not be there"),
        pytest.param("oci.kernel.modules.ext4", "False", id="built-in module that must not be there"),
        pytest.param("oci.kernel.modules.lustre", ">=2.16", id="version of a module"),
        pytest.param("oci.kernel.selinux", "false", id="selinux"),
        pytest.param("oci.kernel.cmdline.iommu", "off", id="parameter"),
        pytest.param("oci.kernel.cmdline.nosmt", "", id="absent parameter"),
        pytest.param("oci.kernel.cmdline.isolcpus", "3,4", id="parameter that is a list"),
        pytest.param("oci.os.glibc", ">=2.35", id="C library"),
        pytest.param("oci.pci.devices", "10de.2337", id="other device"),
        pytest.param("oci.pci.devices", "10de.101b", id="vendor of one device and id of another"),
        pytest.param("oci.pci.devices", "10de.2336,1002.67ff", id="one device missing"),
        pytest.param("oci.os.openmpi", ">=5", id="a declared fact"),
        pytest.param("site.org/rack", "8", id="a label of NFD's"),
    ],
)
def test_a_label_does_not_hold(label: str, value: str) -> None:
    assert _truth(label, value, _NODE) is Truth.NO


@pytest.mark.parametrize(
    ("label", "value"),
    [
        pytest.param("oci.os.mpich", "4.1", id="a fact that nothing declares"),
        pytest.param("OCI.kernel.version", "5.14.0-427.el9.x86_64", id="labels have one case"),
        pytest.param("oci.kernel.cmdline.", "pt", id="a prefix alone is a fact of that name"),
        pytest.param("oci.kernel.modules.", "true", id="a module without a name is a fact of that name"),
    ],
)
def test_a_label_that_stands_in_no_table_is_unknown_unless_declared(label: str, value: str) -> None:
    assert _truth(label, value, _NODE) is Truth.UNKNOWN


_FREE_VALUES = {"oci.kernel.modules.lustre": ">=2.15", "oci.os.openmpi": "4.1.5", "site.org/rack": "7"}
_VALUES = {
    "oci.cpu.vendor": "Intel",
    "oci.cpu.features": "AVX2",
    "oci.cpu.microarchitecture": "icelake",
    "oci.kernel.version": ">=5.10",
    "oci.kernel.versions": ">=5.10",
    "oci.kernel.configurations": "PREEMPT",
    "oci.kernel.modules": "nvidia",
    "oci.kernel.modules.nvidia": "true",
    "oci.kernel.selinux": "true",
    "oci.kernel.cmdline.iommu": "pt",
    "oci.os.glibc": ">=2.31",
    "oci.pci.devices": "10de.2336",
}


@pytest.mark.parametrize(("label", "value"), {**_VALUES, **_FREE_VALUES}.items())
def test_a_label_that_no_detector_covers_is_not_known(label: str, value: str) -> None:
    assert _truth(label, value, Facts()) is Truth.UNKNOWN


@pytest.mark.parametrize(("label", "value"), _VALUES.items())
def test_a_label_whose_detector_found_nothing_does_not_hold(label: str, value: str) -> None:
    looked = Facts(
        dict.fromkeys(_NODE.flags, frozenset()),
        {feature: {} for feature in _NODE.attributes},
        dict.fromkeys(_NODE.instances, ()),
    )
    assert _truth(label, value, looked) is Truth.NO


@pytest.mark.parametrize(
    ("label", "value"),
    [
        pytest.param("oci.kernel.modules.nouveau", "false", id="module"),
        pytest.param("oci.kernel.configurations", "PREEMPT=n", id="option"),
    ],
)
def test_what_must_not_be_there_holds_only_where_a_detector_looked(label: str, value: str) -> None:
    looked: Mapping[str, list[str]] = {"kernel.loadedmodule": [], "kernel.enabledmodule": []}
    assert _truth(label, value, Facts()) is Truth.UNKNOWN
    assert _truth(label, value, facts(looked, {"kernel.config": {}})) is Truth.YES


def test_a_module_is_absent_only_where_both_loaded_and_built_in_ones_are_known() -> None:
    loaded_only = facts({"kernel.loadedmodule": ["nvidia"]})
    assert _truth("oci.kernel.modules", "nvidia", loaded_only) is Truth.YES
    assert _truth("oci.kernel.modules", "ext4", loaded_only) is Truth.UNKNOWN
    assert _truth("oci.kernel.modules.ext4", "false", loaded_only) is Truth.UNKNOWN


def test_a_free_fact_that_nothing_declares_is_unknown_whatever_was_looked_at() -> None:
    everything = facts(attributes={"local.label": {}, "local.feature": {}, "operator.fact": {}})
    assert _truth("site", "a", everything) is Truth.UNKNOWN


def test_a_free_fact_that_is_declared_otherwise_does_not_hold() -> None:
    assert _truth("site", "a", facts(attributes={"operator.fact": {"site": "b"}})) is Truth.NO


@pytest.mark.parametrize("feature", ["operator.fact", "local.feature", "local.label"])
def test_an_unknown_label_is_a_fact_of_that_very_name(feature: str) -> None:
    assert _truth("my.org/x", "a", facts(attributes={feature: {"my.org/x": "a"}})) is Truth.YES


@pytest.mark.parametrize(
    ("vendor", "spellings"),
    [
        pytest.param("GenuineIntel", ("GenuineIntel", "Intel"), id="Intel, the CPU's word"),
        pytest.param("Intel", ("GenuineIntel", "Intel"), id="Intel, NFD's word"),
        pytest.param("AMD", ("AuthenticAMD", "AMD"), id="AMD"),
        pytest.param("HygonGenuine", ("HygonGenuine", "Hygon"), id="Hygon"),
        pytest.param("ARM", ("ARM",), id="Arm"),
        pytest.param("SiFive", ("SiFive",), id="a vendor of no table"),
    ],
)
def test_a_vendor_may_be_written_and_reported_in_either_way(vendor: str, spellings: tuple[str, ...]) -> None:
    for reported in (vendor, *spellings):
        known = facts(attributes={"cpu.model": {"vendor_id": reported}})
        assert all(_truth("oci.cpu.vendor", asked, known) is Truth.YES for asked in spellings)


def test_a_node_that_reports_its_version_strangely_is_not_known() -> None:
    assert _truth("oci.kernel.version", ">=5", facts(attributes={"kernel.version": {"full": "new"}})) is Truth.UNKNOWN


@pytest.mark.parametrize(
    ("instance", "expected"),
    [
        pytest.param({"vendor": "10DE", "device": "2336"}, Truth.YES, id="upper-case on the node"),
        pytest.param({"vendor": "10de"}, Truth.NO, id="no device id"),
        pytest.param({}, Truth.NO, id="nothing"),
    ],
)
def test_one_device_must_match_both_ids(instance: dict[str, str], expected: Truth) -> None:
    assert _truth("oci.pci.devices", "10de.2336", facts(instances={"pci.device": [instance]})) is expected


@pytest.mark.parametrize(
    ("label", "value", "depth"),
    [
        pytest.param("oci.cpu.features", "AVX2", 3, id="feature of a level"),
        pytest.param("oci.cpu.features", "avx512f", 4, id="avx512f implies v4"),
        pytest.param("oci.cpu.features", "sha_ni", 0, id="feature of no level"),
        pytest.param("oci.cpu.microarchitecture", "zen4", 4, id="target"),
        pytest.param("oci.cpu.microarchitecture", "nosuchtarget", 0, id="unknown target"),
        pytest.param("oci.kernel.version", ">=5", 0, id="not about the CPU"),
    ],
)
def test_a_check_implies_a_level_of_the_cpu(label: str, value: str, depth: int) -> None:
    assert [check.depth for check in checks_of_label(label, value)] == [depth]


def test_a_list_gives_one_check_per_item_in_the_order_of_the_author() -> None:
    assert [check.asked for check in checks_of_label("oci.kernel.modules", "b, a,c,")] == ["b", "a", "c"]


def test_quotes_around_the_value_of_an_option_do_not_count() -> None:
    assert _truth("oci.kernel.configurations", 'CONFIG_HZ="250"', _NODE) is Truth.YES


def test_an_empty_name_of_a_feature_is_refused() -> None:
    with pytest.raises(InvalidDocumentError):
        checks_of_flags("platform.features", ["avx2", " "])


@pytest.mark.parametrize(
    ("label", "value", "expected"),
    [
        pytest.param("oci.cpu.vendor", "GenuineIntel,", Truth.YES, id="vendor"),
        pytest.param("oci.cpu.microarchitecture", "icelake,", Truth.YES, id="target"),
        pytest.param("oci.cpu.microarchitecture", "IceLake", Truth.YES, id="target in another case"),
        pytest.param("oci.kernel.modules.nvidia", "true,", Truth.YES, id="module"),
        pytest.param("oci.kernel.modules.nvidia", "false,", Truth.NO, id="module that must not be there"),
    ],
)
def test_a_trailing_comma_is_noise(label: str, value: str, expected: Truth) -> None:
    assert _truth(label, value, _NODE) is expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param("zen4", Truth.NO, id="one that archspec knows"),
        pytest.param("zen99", Truth.UNKNOWN, id="one that it does not know yet"),
    ],
)
def test_a_target_that_nobody_knows_yet_is_unknown(target: str, expected: Truth) -> None:
    assert _truth("oci.cpu.microarchitecture", target, _NODE) is expected


def test_of_a_declared_fact_the_operators_word_counts() -> None:
    both = facts(attributes={"operator.fact": {"site": "5"}, "local.feature": {"site": "4"}})
    assert _truth("site", "5", both) is Truth.YES
    assert _truth("site", "4", both) is Truth.NO
