# SPDX-License-Identifier: Apache-2.0
"""Keys stay private and one; signatures are plain Ed25519 that public tools check."""

import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from evidence.errors import (
    BadInput,
    EvidockError,
    NotFound,
    RecordMalformed,
    SignatureInvalid,
    StoreUnavailable,
)
from evidence.note import VerifierKey, ed25519_key_hash, open_note, parse_vkey, sign_note
from storage.signing import KeyFile, Signing, public_pem, verifier_of
from tests.support.footage import missing

NAME = "dock.example.org/log"
TEXT = "evidock/record/v1\n{}\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "log.pem"


def test_a_key_is_made_once_and_loaded_ever_after(path: Path) -> None:
    first = KeyFile.create_or_load(path, NAME)
    again = KeyFile.create_or_load(path, NAME)
    assert first.verifier_key == again.verifier_key == KeyFile.load(path, NAME).verifier_key
    assert path.stat().st_mode & 0o7777 == 0o600
    assert path.parent.stat().st_mode & 0o7777 == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["log.pem"]


def test_loading_never_makes_a_key(path: Path) -> None:
    with pytest.raises(NotFound):
        KeyFile.load(path, NAME)
    assert not path.parent.exists()


def test_of_racing_first_callers_all_get_the_same_key(path: Path) -> None:
    together = threading.Barrier(8)
    keys: list[VerifierKey] = []

    def make() -> None:
        together.wait()
        keys.append(KeyFile.create_or_load(path, NAME).verifier_key)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1
    assert [entry.name for entry in path.parent.iterdir()] == ["log.pem"]


def test_a_note_signed_by_the_key_opens_under_its_public_half_alone(path: Path) -> None:
    key: Signing = KeyFile.create_or_load(path, NAME)
    note = sign_note(TEXT, [key.signer()])
    outsider = verifier_of(parse_vkey(key.verifier_key.to_text()))
    assert open_note(note, [outsider]).text == TEXT
    assert open_note(note, [key.verifier()]).is_signed_by(outsider)


def test_signatures_are_deterministic(path: Path) -> None:
    key = KeyFile.create_or_load(path, NAME)
    assert sign_note(TEXT, [key.signer()]) == sign_note(TEXT, [KeyFile.load(path, NAME).signer()])
    assert key.signer().key_hash == ed25519_key_hash(NAME, key.verifier_key.public_key)


def test_one_flipped_bit_in_text_or_signature_is_refused(path: Path) -> None:
    key = KeyFile.create_or_load(path, NAME)
    verify, message = key.verifier().verify, TEXT.encode()
    signature = key.signer().sign(message)
    assert verify(message, signature)
    for bit in range(len(message) * 8):
        assert not verify(_flipped(message, bit), signature)
    for bit in range(len(signature) * 8):
        assert not verify(message, _flipped(signature, bit))


def test_a_signature_of_another_length_or_an_s_past_the_group_order_is_refused(path: Path) -> None:
    key = KeyFile.create_or_load(path, NAME)
    verify, message = key.verifier().verify, TEXT.encode()
    signature = key.signer().sign(message)
    order = 2**252 + 27742317777372353535851937790883648493
    s = int.from_bytes(signature[32:], "little")
    malleable = signature[:32] + (s + order).to_bytes(32, "little")
    for other in (b"", signature[:-1], signature + b"\0", malleable):
        assert not verify(message, other)


def test_a_note_by_another_key_of_the_same_name_is_refused(path: Path) -> None:
    key = KeyFile.create_or_load(path, NAME)
    rogue = KeyFile.create_or_load(path.with_name("rogue.pem"), NAME)
    with pytest.raises(SignatureInvalid):
        open_note(sign_note(TEXT, [rogue.signer()]), [key.verifier()])


def test_the_openssl_program_alone_verifies_a_signature(path: Path, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        missing("the openssl program", remedy="install openssl 3.0 or newer")
        return
    key = KeyFile.create_or_load(path, NAME)
    files = {
        "key": public_pem(key.verifier_key),
        "body": TEXT.encode(),
        "sig": key.signer().sign(TEXT.encode()),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    argv = [
        openssl,
        "pkeyutl",
        "-verify",
        "-rawin",
        "-pubin",
        "-inkey",
        "key",
        "-in",
        "body",
        "-sigfile",
        "sig",
    ]
    assert subprocess.run(argv, cwd=tmp_path, check=False, capture_output=True).returncode == 0
    (tmp_path / "body").write_bytes(TEXT.encode() + b"x")
    assert subprocess.run(argv, cwd=tmp_path, check=False, capture_output=True).returncode != 0


def test_the_private_half_is_in_no_text_form(path: Path) -> None:
    key = KeyFile.create_or_load(path, NAME)
    private = path.read_bytes().splitlines()[1].decode()
    for text in (repr(key), str(key), key.verifier_key.to_text(), public_pem(key.verifier_key).decode()):
        assert private not in text


# --- files that are no key of ours ----------------------------------------------------------


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o606, 0o644, 0o610, 0o601])
def test_a_key_file_that_others_can_use_is_refused_in_words(path: Path, mode: int) -> None:
    KeyFile.create_or_load(path, NAME)
    path.chmod(mode)
    for call in (KeyFile.load, KeyFile.create_or_load):
        with pytest.raises(BadInput, match="chmod 600"):
            call(path, NAME)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_file_of_another_user_is_refused(path: Path) -> None:
    KeyFile.create_or_load(path, NAME)
    os.chown(path, 12345, 12345)
    with pytest.raises(BadInput, match="another user"):
        KeyFile.load(path, NAME)


def test_a_file_that_is_no_ed25519_key_is_refused_and_kept(path: Path) -> None:
    path.parent.mkdir()
    ed25519, p256 = Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())
    encrypted = ed25519.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    other = p256.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    whole = ed25519.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for data in (b"", b"\0" * 100, b"not a key", encrypted, other, whole[:60], b"A" * 100_000):
        path.write_bytes(data)
        path.chmod(0o600)
        with pytest.raises(BadInput):
            KeyFile.create_or_load(path, NAME)
        assert path.read_bytes() == data


def test_a_folder_or_a_pipe_in_the_place_of_the_key_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(BadInput):
        KeyFile.create_or_load(path, NAME)
    path.rmdir()
    os.mkfifo(path, 0o600)
    with pytest.raises(BadInput):
        KeyFile.create_or_load(path, NAME)


def test_a_key_that_cannot_be_written_is_unavailable_not_lost(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnavailable):
        KeyFile.create_or_load(tmp_path / "file" / "log.pem", NAME)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb"])
def test_a_name_that_no_note_can_carry_is_refused_at_once(path: Path, name: str) -> None:
    with pytest.raises(EvidockError):
        KeyFile.create_or_load(path, name)


# --- keys nobody may trust ------------------------------------------------------------------

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
Point = tuple[int, int]


def _add(a: Point, b: Point) -> Point:
    """Edwards addition, RFC 8032 §5.1 in affine form: slow, and written without looking at our list."""
    product = _D * a[0] * b[0] * a[1] * b[1] % _P
    x = (a[0] * b[1] + b[0] * a[1]) * pow(1 + product, -1, _P) % _P
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, -1, _P) % _P
    return x, y


def _with_y(y: int) -> Point | None:
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    return None if (x * x - square) % _P else (x, y)


def _low_order_points() -> set[Point]:
    """All eight: a random point times the large prime order of the curve, and its multiples."""
    order, start = 2**252 + 27742317777372353535851937790883648493, 2
    while True:
        start += 1
        point = _with_y(start)
        if point is None:
            continue
        low: Point = (0, 1)
        for bit in f"{order:b}":
            low = _add(low, low)
            low = _add(low, point) if bit == "1" else low
        found = {(0, 1)}
        step = low
        while step != (0, 1):
            found.add(step)
            step = _add(step, low)
        if len(found) == 8:
            return found


def test_every_key_of_low_order_in_every_spelling_is_refused() -> None:
    points = _low_order_points()
    spellings = set()
    for _, y in points:
        for spelt in (y, y + _P):
            if spelt < 2**255:
                spellings |= {(spelt | sign << 255).to_bytes(32, "little") for sign in (0, 1)}
    assert len(points) == 8
    assert len(spellings) == 14
    for key in spellings:
        with pytest.raises(RecordMalformed):
            verifier_of(VerifierKey(NAME, key))


def _flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
