"""What a doctor says of certificates: in files, presented, and where nothing can read them."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from imagefit.cli.doctor.advice import advice_for
from imagefit.cli.doctor.certificates import describe, observe_files
from imagefit.cli.doctor.observation import State
from imagefit.errors import (
    BudgetSpentError,
    ContentInvalidError,
    ContentMissingError,
    ImagefitError,
    InvalidConfigurationError,
    InvalidIndexError,
    RegistryDeniedError,
    RegistryUnreachableError,
)
from imagefit.registry.host import RegistryHost

KEY = ec.generate_private_key(ec.SECP256R1())
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def certificate(begins: timedelta, ends: timedelta, names: int = 0) -> x509.Certificate:
    """Make a certificate that signs itself; times are from now."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"test {ends.days}")])
    made = (
        x509.CertificateBuilder(name, name, KEY.public_key(), x509.random_serial_number())
        .not_valid_before(NOW + begins)
        .not_valid_after(NOW + ends)
    )
    if names:
        hosts = [x509.DNSName(f"host{number}.example.org") for number in range(names)]
        made = made.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
    return made.sign(KEY, hashes.SHA256())


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def der(one: x509.Certificate) -> bytes:
    return one.public_bytes(serialization.Encoding.DER)


LIVES = [
    pytest.param(-100 * DAY, 300 * DAY, "good", id="long"),
    pytest.param(-100 * DAY, 15 * DAY, "good", id="just-long-enough"),
    pytest.param(-100 * DAY, 13 * DAY, "warning", id="ends-soon"),
    pytest.param(-0.2 * DAY, 0.8 * DAY, "good", id="made-for-a-day"),
    pytest.param(-0.8 * DAY, 0.2 * DAY, "warning", id="made-for-a-day-and-not-renewed"),
    pytest.param(-100 * DAY, -DAY, "warning", id="over"),
]


@pytest.mark.parametrize(("begins", "ends", "state"), LIVES)
def test_a_certificate_that_must_be_renewed_is_told(
    tmp_path: Path, begins: timedelta, ends: timedelta, state: str
) -> None:
    path = tmp_path / "ca.crt"
    made = certificate(begins, ends)
    path.write_bytes(pem(made))
    (seen,) = observe_files(RegistryHost("https", "r.example", ca_files=(path,)))
    assert (seen.state, bool(seen.advice)) == (state, state == "warning")
    assert describe(der(made))[1] is (state == "warning")


def test_of_several_the_first_to_end_counts(tmp_path: Path) -> None:
    path = tmp_path / "ca.crt"
    path.write_bytes(pem(certificate(-DAY, 300 * DAY), certificate(-50 * DAY, 5 * DAY), certificate(-DAY, 90 * DAY)))
    (seen,) = observe_files(RegistryHost("https", "r.example", ca_files=(path,)))
    assert dict(seen.facts)["certificates"] == "3"
    assert dict(seen.facts)["first to end"] == "CN=test 5"
    assert seen.state is State.WARNING


def test_plain_http_needs_no_certificates(tmp_path: Path) -> None:
    assert list(observe_files(RegistryHost("http", "r.example", ca_files=(tmp_path / "none",)))) == []


@pytest.mark.parametrize(("mode", "states"), [(0o600, ["good"]), (0o644, ["good", "warning"])], ids=["own", "open"])
def test_a_key_that_everybody_can_read_is_told(tmp_path: Path, mode: int, states: list[str]) -> None:
    paths = tmp_path / "client.cert", tmp_path / "client.key"
    paths[0].write_bytes(pem(certificate(-DAY, 90 * DAY)))
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    paths[1].write_bytes(KEY.private_bytes(serialization.Encoding.PEM, *form))
    paths[1].chmod(mode)
    seen = list(observe_files(RegistryHost("https", "r.example", client_pairs=(paths,))))
    assert [one.state for one in seen] == states


def test_many_names_are_cut() -> None:
    facts = dict(describe(der(certificate(-DAY, DAY, names=9)))[0])
    assert facts["names"].startswith("host0.example.org, ")
    assert facts["names"].endswith("host7.example.org, …")
    assert "names" not in dict(describe(der(certificate(-DAY, DAY)))[0])


VERSION = b"\xa0\x03\x02\x01"  # the tag of a certificate's version, which is 2 for version 3
NAME = b"\x55\x04\x03"  # the object identifier of a common name, before its tag and length
UNREADABLE = {
    "empty": b"",
    "none": b"nonsense",
    "cut": der(certificate(-DAY, DAY))[:-9],
    "with-bits-for-a-name": der(certificate(-DAY, DAY)).replace(NAME + b"\x0c\x06t", NAME + b"\x03\x06\0", 1),
    "of-an-unknown-version": der(certificate(-DAY, DAY)).replace(VERSION + b"\x02", VERSION + b"\x0a", 1),
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
def test_a_certificate_that_cannot_be_read_is_told(content: bytes) -> None:
    assert describe(content) == ((("certificate", "cannot be read"),), False)


WITHOUT = """
import sys
sys.modules["cryptography"] = None  # as where the extra is not installed
from pathlib import Path
from imagefit.cli.doctor.certificates import describe, observe_files
from imagefit.registry.host import RegistryHost
print(describe(b"x"))
host = RegistryHost("https", "r", ca_files=(Path(sys.argv[1]),))
print([(one.state.value, one.advice) for one in observe_files(host)])
"""


def test_where_the_library_is_missing_less_is_told(tmp_path: Path) -> None:
    path = tmp_path / "ca.crt"
    path.write_bytes(pem(certificate(-DAY, 90 * DAY)))
    command = (sys.executable, "-c", WITHOUT, str(path))
    presented, file = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()
    assert "imagefit[signatures]" in presented
    assert file.startswith("[('note', ")
    assert "imagefit[signatures]" in file


UNREACHABLE = [
    pytest.param("certificate refused: unable to get local issuer certificate", "'ca'", id="authority"),
    pytest.param("certificate refused: self-signed certificate", "'ca'", id="self-signed"),
    pytest.param("certificate refused: Hostname mismatch, certificate is not valid", "other names", id="name"),
    pytest.param("certificate refused: IP address mismatch", "other names", id="address"),
    pytest.param("certificate refused: certificate has expired", "renewed", id="expired"),
    pytest.param("certificate refused: certificate is not yet valid", "clock", id="not-yet"),
    pytest.param("it wants a client certificate", "'client'", id="client"),
    pytest.param("no TLS is spoken there", "--plain-http", id="plain-http"),
    pytest.param("connection refused", "listens", id="refused"),
    pytest.param("name or service not known", "DNS", id="name-of-the-host"),
    pytest.param("Temporary failure in name resolution", "DNS", id="no-dns"),
    pytest.param("No route to host", "routes", id="no-route"),
    pytest.param("no answer within 10 s", "NO_PROXY", id="silence"),
    pytest.param("the proxy is of another kind", "HTTPS_PROXY", id="proxy"),
    pytest.param("x: status 429", "limits", id="too-many"),
    pytest.param("x: status 503", "its log", id="server"),
    pytest.param("x: status 400", "HTTPS", id="bad-request"),
    pytest.param("something nobody has seen", "", id="unknown"),
]


@pytest.mark.parametrize(("message", "advice"), UNREACHABLE)
def test_there_is_advice_for_what_keeps_hosts_from_answering(message: str, advice: str) -> None:
    found = advice_for(RegistryUnreachableError(f"r.example: {message}"), "r.example", has_credentials=False)
    assert advice in found
    assert bool(found) is bool(advice)
    assert "{" not in found


OTHERS = [
    pytest.param(RegistryDeniedError("denied"), False, "docker login r.example'", id="denied"),
    pytest.param(RegistryDeniedError("denied"), True, "user name and password", id="denied-with-credentials"),
    pytest.param(RegistryDeniedError("denied", advice="so"), True, "so", id="own-advice-stands"),
    pytest.param(ContentMissingError("x: status 404"), False, "spelling", id="missing"),
    pytest.param(ContentInvalidError("has another digest"), False, "not what was pushed", id="digest"),
    pytest.param(BudgetSpentError("no decision within 10 s"), False, "firewalls", id="budget"),
    pytest.param(InvalidIndexError("timeout"), False, "", id="no-registry-error"),
    pytest.param(InvalidConfigurationError("refused"), False, "", id="configuration"),
]


@pytest.mark.parametrize(("error", "has_credentials", "advice"), OTHERS)
def test_there_is_advice_for_other_errors(error: ImagefitError, has_credentials: object, advice: str) -> None:
    found = advice_for(error, "r.example", has_credentials=bool(has_credentials))
    assert advice in found
    assert bool(found) is bool(advice)
