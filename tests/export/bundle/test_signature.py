import json
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

import fleetmix
from export.bundle.files import MANIFEST, SIGNATURE
from export.bundle.manifest import open_bundle
from export.fleet.processes import RobotProcesses, free_endpoint
from export.graphs.bundle_writer import write_bundle
from sim.errors import InputError
from tests.export.conftest import MLP, make_agent, make_metadata
from tests.export.robot_bench import robot_bench


def key_pair(folder: Path, name: str) -> tuple[Path, Path]:
    """Files with a private and a public key, by OpenSSL where it is there."""
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    if shutil.which("openssl"):
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True)
        subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
        return private, public
    key = Ed25519PrivateKey.generate()
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return key_pair(tmp_path, "mine")


@pytest.fixture
def signed(mlp_bundle: Path, tmp_path: Path, keys: tuple[Path, Path]) -> Path:
    bundle = Path(shutil.copytree(mlp_bundle, tmp_path / "signed"))
    fleetmix.main(["sign", str(bundle), "--key", str(keys[0])])
    return bundle


def test_a_bundle_that_the_trusted_key_signed_is_opened(signed: Path, keys: tuple[Path, Path]) -> None:
    opened = open_bundle(signed, keys[1])
    assert set(opened.manifest.robots) == {"robot_0", "robot_1"}
    assert opened.read("robot_0.onnx") == (signed / "robot_0.onnx").read_bytes()
    assert open_bundle(signed).manifest == opened.manifest  # who trusts no key does not mind


def refused(bundle: Path, trust: Path) -> str:
    with pytest.raises(InputError) as error:
        open_bundle(bundle, trust)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_an_unsigned_bundle_is_refused(mlp_bundle: Path, keys: tuple[Path, Path]) -> None:
    assert "manifest.sig is missing" in refused(mlp_bundle, keys[1])


def test_a_bundle_that_another_key_signed_is_refused(signed: Path, tmp_path: Path) -> None:
    _, other = key_pair(tmp_path, "other")
    said = refused(signed, other)
    assert "is by the ed25519 key" in said
    assert str(other) in said


def test_a_signature_with_the_name_of_another_key_is_refused(signed: Path, keys: tuple[Path, Path], tmp_path) -> None:
    private, _ = key_pair(tmp_path, "other")
    mine = json.loads((signed / SIGNATURE).read_text())
    fleetmix.main(["sign", str(signed), "--key", str(private)])
    theirs = json.loads((signed / SIGNATURE).read_text())
    (signed / SIGNATURE).write_text(json.dumps({**theirs, "key": mine["key"]}))
    assert "was changed after it was signed" in refused(signed, keys[1])


def test_a_manifest_that_was_changed_after_signing_is_refused(signed: Path, keys: tuple[Path, Path]) -> None:
    manifest = signed / MANIFEST
    manifest.write_text(manifest.read_text().replace('"shared": true', '"shared": false'))
    open_bundle(signed)
    assert "was changed after it was signed" in refused(signed, keys[1])


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"algorithm": "ed25519", "key": 3, "signature": 4}',
     '{"algorithm": "ed25519", "key": "aa", "signature": "é"}', "\udcff"],
)  # fmt: skip
def test_garbage_is_no_signature(signed: Path, keys: tuple[Path, Path], content: str) -> None:
    (signed / SIGNATURE).write_bytes(content.encode(errors="surrogateescape"))
    assert SIGNATURE in refused(signed, keys[1])


def test_a_key_that_is_none_is_named(signed: Path, keys: tuple[Path, Path], tmp_path: Path) -> None:
    for content in (b"", b"nonsense", keys[0].read_bytes()):
        wrong = tmp_path / "wrong.pub"
        wrong.write_bytes(content)
        assert "wrong.pub is no public Ed25519 key" in refused(signed, wrong)
    wrong.write_bytes(
        generate_private_key(SECP256R1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    assert "wrong.pub is no public Ed25519 key" in refused(signed, wrong)
    assert "can't be read" in refused(signed, tmp_path / "missing.pub")


@pytest.mark.parametrize("key", ["missing.pem", "mine.pub"])
def test_only_a_private_key_signs(mlp_bundle: Path, keys, tmp_path: Path, key: str, capsys) -> None:
    bundle = Path(shutil.copytree(mlp_bundle, tmp_path / "bundle"))
    with pytest.raises(SystemExit):
        fleetmix.main(["sign", str(bundle), "--key", str(tmp_path / key)])
    assert key in capsys.readouterr().err
    assert not (bundle / SIGNATURE).exists()


def test_a_broken_bundle_is_not_signed(mlp_bundle: Path, keys, tmp_path: Path, capsys) -> None:
    bundle = Path(shutil.copytree(mlp_bundle, tmp_path / "bundle"))
    data = bytearray((bundle / "robot_1.onnx").read_bytes())
    data[1000] ^= 1
    (bundle / "robot_1.onnx").write_bytes(data)
    with pytest.raises(SystemExit):
        fleetmix.main(["sign", str(bundle), "--key", str(keys[0])])
    assert "its bytes were changed" in capsys.readouterr().err
    assert not (bundle / SIGNATURE).exists()


def test_a_signed_bundle_is_replaced_by_an_unsigned_one(signed: Path) -> None:
    write_bundle(make_agent(MLP), make_metadata(MLP), signed, robots=1)
    assert not (signed / SIGNATURE).exists()


@pytest.mark.slow
def test_a_robot_drives_only_what_its_key_has_signed(signed: Path, mlp_bundle: Path, keys: tuple[Path, Path]) -> None:
    with robot_bench(signed, "--trust", str(keys[1])) as bench:
        bench.drives()
    with RobotProcesses(mlp_bundle, ["robot_0"], free_endpoint(), "--trust", str(keys[1])) as processes:
        assert processes.running["robot_0"].wait(10) == 2
        assert "manifest.sig is missing" in processes.output("robot_0")
        assert processes.output("robot_0").count("\n") == 1
