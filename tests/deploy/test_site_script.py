"""site.sh without a broker: what it makes, and what it refuses to make."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edge_player.config import PlayerConfig
from gateway.config import GatewayConfig
from tests.deploy.site import PASSWORD, SOURCE, Site, make_site

pytestmark = pytest.mark.broker  # mosquitto_passwd comes with the broker


@pytest.fixture
def empty(tmp_path: Path) -> Site:
    """A site with nobody in it."""
    return make_site(tmp_path)


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def name_on(path: Path) -> str:
    (attribute,) = certificate(path).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(attribute.value)


def test_nobody_but_the_owner_reads_what_is_secret(empty: Site) -> None:
    empty.make("add", "player", "edge-1")
    empty.make("add", "player", "edge-2", "--password", stdin=f"{PASSWORD}\n")
    made = [path for path in (empty.folder / "site").rglob("*") if path.is_file()]
    assert {"ca.key", "broker.key", "edge-1.key", "password", "passwords"} <= {path.name for path in made}
    assert [path for path in made if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_the_broker_gets_no_key_that_signs(empty: Site) -> None:
    installed = {path.name for path in (empty.root / "etc/mosquitto/voxwire").iterdir()}
    assert installed == {"acl", "broker.crt", "broker.key", "ca.crt", "passwords", "revoked.crl"}
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (empty.root / "etc/mosquitto/voxwire").iterdir()}
    assert modes == {0o640}


def test_passwords_are_stored_as_hashes_where_the_broker_reads_them(empty: Site) -> None:
    empty.make("add", "player", "edge-1", "--password", stdin=f"{PASSWORD}\n")
    text = (empty.folder / "site/broker/passwords").read_text()
    assert re.fullmatch(r"edge-1:\$7\$\d+\$\S+\$\S+\n", text)


def test_a_request_of_a_device_keeps_its_key_and_loses_its_claims(empty: Site, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gw-lobby")]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    csr = tmp_path / "edge.csr"
    csr.write_bytes(request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    empty.make("add", "player", "edge-1", "--csr", str(csr))
    made = certificate(empty.device("edge-1") / "edge-1.crt")
    assert name_on(empty.device("edge-1") / "edge-1.crt") == "edge-1"
    assert made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert made.public_key() == key.public_key()
    assert not (empty.device("edge-1") / "edge-1.key").exists()


def test_a_late_clock_on_a_device_does_not_shut_it_out(empty: Site) -> None:
    empty.make("add", "player", "edge-1")
    made = certificate(empty.device("edge-1") / "edge-1.crt")
    lasts = made.not_valid_after_utc - made.not_valid_before_utc
    assert lasts.days == 825 + 1


def test_the_list_warns_of_certificates_that_end(empty: Site) -> None:
    empty.make("add", "player", "edge-old", CLIENT_DAYS="0")
    empty.make("add", "player", "edge-soon", CLIENT_DAYS="20")
    empty.make("add", "player", "edge-new")
    lines = {line.split()[1]: line for line in empty.make("list").splitlines()}
    assert "EXPIRED" in lines["edge-old"]
    assert "RENEW SOON" in lines["edge-soon"]
    assert re.search(r"20\d\d-\d\d-\d\d +\*$", lines["edge-new"])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["add", "player", "edge_1"], "must be of a-z, 0-9 and -"),
        (["add", "player", "edge/1"], "must be of a-z, 0-9 and -"),
        (["add", "player", "+"], "must be of a-z, 0-9 and -"),
        (["add", "player", "#"], "must be of a-z, 0-9 and -"),
        (["add", "player", "edge 1"], "must be of a-z, 0-9 and -"),
        (["add", "player", "edge-1\nuser x"], "must be of a-z, 0-9 and -"),
        (["add", "player", "e" * 33], "at most 32"),
        (["add", "player", "edge-1", "lob/by"], "stream must be"),
        (["add", "player", "edge-1", "#"], "stream must be"),
        (["add", "singer", "edge-1"], "no role 'singer'"),
        (["add", "gateway", "gw-1"], "needs the streams"),
        (["add", "player", "edge-1", "--csr", "missing.csr"], "no certificate request"),
        (["add", "player", "edge-1", "--csr", "/dev/null"], "no certificate request"),
        (["add", "player", "edge-1", "--password"], "password"),
        (["revoke", "nobody"], "no client 'nobody'"),
        (["renew", "nobody"], "no client 'nobody'"),
        (["renew", "--broker", "a b"], "host name"),
        (["renew", "--broker", "a,DNS:b"], "host name"),
        (["init", "localhost"], "is there already"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(empty: Site, arguments: list[str], complaint: str) -> None:
    before = _contents(empty)
    done = empty.script(*arguments)
    assert done.returncode == 1
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert _contents(empty) == before


def _contents(site: Site) -> dict[str, bytes]:
    folder = site.folder / "site"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("word", ["short", "with:a colon in it", ""])
def test_a_poor_password_is_refused(empty: Site, word: str) -> None:
    done = empty.script("add", "player", "edge-1", "--password", stdin=f"{word}\n")
    assert done.returncode == 1
    assert "password for edge-1 must" in done.stderr
    assert word == "" or word not in done.stderr
    assert "edge-1" not in empty.make("list")


def test_a_name_is_given_once(empty: Site) -> None:
    empty.make("add", "player", "edge-1")
    assert "a player 'edge-1' already" in empty.script("add", "gateway", "edge-1", "lobby").stderr


def test_without_a_site_the_first_step_is_named(tmp_path: Path) -> None:
    done = Site(tmp_path).script("list")
    assert done.returncode == 1
    assert "begin with: site.sh init" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["bogus"], ["add"], ["add", "player"], ["revoke"], ["renew"]])
def test_wrong_usage_ends_with_2(empty: Site, arguments: list[str]) -> None:
    done = empty.script(*arguments)
    assert done.returncode == 2
    assert "usage: site.sh" in done.stderr


def test_the_samples_are_settings_that_both_ends_take(empty: Site) -> None:
    empty.make("add", "gateway", "gw-lobby", "lobby")
    empty.make("add", "player", "edge-1", "lobby")
    empty.make("add", "player", "edge-2", "--password", stdin=f"{PASSWORD}\n")
    for name, file, config in (
        ("gw-lobby", "gateway.toml", GatewayConfig),
        ("edge-1", "edge-player.toml", PlayerConfig),
        ("edge-2", "edge-player.toml", PlayerConfig),
    ):
        settings = tomllib.loads((empty.device(name) / file).read_text())
        assert settings["run"]["id"] == name
        for section, values in settings.items():
            fields = type(getattr(config(), section)).__dataclass_fields__
            assert set(values) <= set(fields), section


def test_the_broker_configuration_of_before_is_kept(empty: Site) -> None:
    path = empty.root / "etc/mosquitto/mosquitto.conf"
    path.write_text("# of the package\n")
    empty.install()
    empty.install()
    assert (path.parent / "mosquitto.conf.before-voxwire").read_text() == "# of the package\n"
    assert path.read_bytes() == (SOURCE / "mosquitto.conf").read_bytes()


def test_the_script_is_a_clean_shell_script() -> None:
    script = str(SOURCE / "site.sh")
    subprocess.run(["sh", "-n", script], check=True)
    shellcheck = shutil.which("shellcheck")
    if shellcheck is not None:
        assert subprocess.run([shellcheck, script], capture_output=True, text=True, check=False).stdout == ""
