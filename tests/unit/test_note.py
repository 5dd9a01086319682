# SPDX-License-Identifier: Apache-2.0
"""This is where signed notes are held against vectors of C2SP and Go's sumdb, and against hostile notes."""

from base64 import b64decode, b64encode

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from evidence.errors import BadInput, RecordMalformed, SignatureInvalid
from evidence.note import (
    MAX_NOTE_BYTES,
    OpenedNote,
    Signature,
    Signer,
    Verifier,
    VerifierKey,
    ed25519_key_hash,
    open_note,
    parse_vkey,
    sign_note,
    split_note,
)

# From golang.org/x/mod/sumdb/note, note_test.go (BSD-3-Clause): keys, text and signatures.
PETER_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SEED = b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
ENOCH_VKEY = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
ENOCH = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
NOTE = f"{TEXT}\n{PETER}"

# From the C2SP signed-note specification, Verifier keys, Example.
C2SP_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
C2SP_NOTE = """This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
"""


def verifier(vkey: str) -> Verifier:
    key = parse_vkey(vkey)
    public = Ed25519PublicKey.from_public_bytes(key.public_key)

    def verify(message: bytes, signature: bytes) -> bool:
        try:
            public.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    return key.verifier(verify)


def signer(name: str, seed: bytes) -> Signer:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    return Signer(name, ed25519_key_hash(name, private.public_key().public_bytes_raw()), private.sign)


def vkey_of(name: str, seed: bytes) -> str:
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return VerifierKey(name, public).to_text()


PETER_KEY, ENOCH_KEY = verifier(PETER_VKEY), verifier(ENOCH_VKEY)


def opened(note: str | bytes, *keys: Verifier) -> OpenedNote:
    return open_note(note, keys or (PETER_KEY,))


# --- Vectors --------------------------------------------------------------------------------


def test_the_note_of_the_go_vector_is_signed_to_the_byte() -> None:
    assert sign_note(TEXT, [signer("PeterNeumann", PETER_SEED)]) == NOTE


@pytest.mark.parametrize("note", [NOTE, NOTE.encode()])
def test_the_note_of_the_go_vector_opens_as_text_and_as_bytes(note: str | bytes) -> None:
    found = opened(note)
    assert found.text == TEXT
    assert [one.name for one in found.verified] == ["PeterNeumann"]
    assert found.unverified == ()
    assert found.is_signed_by(PETER_KEY)


def test_the_example_of_the_c2sp_specification_opens() -> None:
    assert opened(C2SP_NOTE, verifier(C2SP_VKEY)).text == "This is an example message.\n"


@pytest.mark.parametrize("vkey", [PETER_VKEY, ENOCH_VKEY, C2SP_VKEY])
def test_a_verifier_key_is_read_and_written_back_the_same(vkey: str) -> None:
    key = parse_vkey(vkey)
    assert key.to_text() == vkey
    assert f"+{key.key_hash:08x}+" in vkey


# --- Who signed -----------------------------------------------------------------------------


def test_the_signature_of_an_unknown_key_is_kept_apart() -> None:
    found = opened(NOTE + ENOCH)
    assert [one.name for one in found.verified] == ["PeterNeumann"]
    assert [one.name for one in found.unverified] == ["EnochRoot"]
    assert not found.is_signed_by(ENOCH_KEY)


def test_two_known_keys_are_both_verified_in_the_order_of_the_note() -> None:
    found = opened(NOTE + ENOCH, ENOCH_KEY, PETER_KEY)
    assert [one.name for one in found.verified] == ["PeterNeumann", "EnochRoot"]


def test_a_note_by_unknown_keys_only_is_refused_and_names_them() -> None:
    with pytest.raises(SignatureInvalid, match="PeterNeumann\\+c74f20a3"):
        opened(NOTE, ENOCH_KEY)
    with pytest.raises(SignatureInvalid):
        open_note(NOTE, [])


def test_the_right_name_with_another_key_id_is_an_unknown_key() -> None:
    impostor = vkey_of("PeterNeumann", bytes(32))
    with pytest.raises(SignatureInvalid, match="no trusted key"):
        opened(NOTE, verifier(impostor))


def test_another_key_of_the_same_name_signs_beside_the_known_one_without_being_believed() -> None:
    both = sign_note(TEXT, [signer("PeterNeumann", PETER_SEED), signer("PeterNeumann", bytes(32))])
    found = opened(both)
    assert (len(found.verified), len(found.unverified)) == (1, 1)


def test_one_changed_letter_of_the_text_is_refused() -> None:
    with pytest.raises(SignatureInvalid, match="wrong"):
        opened(NOTE.replace("cryptography", "cryptographY"))


def test_every_flipped_bit_of_the_signature_is_refused() -> None:
    body, (good,) = split_note(NOTE)
    for bit in range(0, 512, 7):
        flipped = bytearray(good.signature)
        flipped[bit // 8] ^= 1 << bit % 8
        forged = Signature(good.name, good.key_hash, bytes(flipped)).to_line()
        with pytest.raises(SignatureInvalid, match="wrong"):
            opened(f"{body}\n{forged}")


@pytest.mark.parametrize("size", [1, 63, 65, 128])
def test_a_signature_of_another_length_is_refused(size: int) -> None:
    forged = Signature("PeterNeumann", 0xC74F20A3, bytes(size)).to_line()
    with pytest.raises(SignatureInvalid):
        opened(f"{TEXT}\n{forged}")


def test_a_wrong_signature_by_a_known_key_is_refused_beside_a_good_one() -> None:
    wrong = Signature("EnochRoot", 0xAF0CFE78, bytes(64)).to_line()
    assert opened(NOTE + wrong).unverified
    with pytest.raises(SignatureInvalid, match="EnochRoot"):
        opened(NOTE + wrong, PETER_KEY, ENOCH_KEY)


def test_a_second_wrong_signature_by_the_same_key_is_refused() -> None:
    wrong = Signature("PeterNeumann", 0xC74F20A3, bytes(64)).to_line()
    with pytest.raises(SignatureInvalid):
        opened(NOTE + wrong)


def test_a_repeated_signature_counts_once() -> None:
    found = opened(NOTE + PETER + ENOCH + ENOCH)
    assert (len(found.verified), len(found.unverified)) == (1, 1)


def test_a_verifier_that_fails_or_says_anything_but_true_is_no_verification() -> None:
    def broken(message: bytes, signature: bytes) -> bool:
        raise ValueError(len(message) + len(signature))

    with pytest.raises(SignatureInvalid, match="cannot be verified"):
        opened(NOTE, Verifier("PeterNeumann", 0xC74F20A3, broken))
    silent: list[bool] = []
    with pytest.raises(SignatureInvalid, match="wrong"):
        opened(NOTE, Verifier("PeterNeumann", 0xC74F20A3, lambda _message, _signature: silent))  # type: ignore[arg-type, return-value]


# --- Form -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n",
        TEXT,
        f"{TEXT}\n",
        NOTE[:-1],
        f"\x01{NOTE}",
        NOTE.replace("\n", "\r\n"),
        NOTE.replace("you ", "you\t", 1),
        NOTE.encode() + b"\xff",
        b"\xff" + NOTE.encode(),
        "\ud800" + NOTE,
        f"{TEXT}\n" + PETER.replace("PeterNeumann", "Bad Name"),
        f"{TEXT}\n" + PETER.replace("PeterNeumann", "Peter+Neumann"),
        f"{TEXT}\n" + PETER.replace("PeterNeumann", "Peter\u2028Neumann"),
        f"{TEXT}\n" + PETER.replace("PeterNeumann", ""),
        f"{TEXT}\n" + PETER.replace("— ", "- "),
        f"{TEXT}\n" + PETER.replace("— ", ""),
        f"{TEXT}\n" + PETER.replace("—", "— "),
        f"{NOTE}Unexpected line.\n",
        f"{NOTE}\n",
        f"x{PETER}",
        f"{TEXT}\n" + PETER.replace("=\n", "\n"),
        f"{TEXT}\n" + PETER.replace("AM=\n", "AN=\n"),
        f"{TEXT}\n" + PETER.replace("=\n", "= \n"),
        f"{TEXT}\n" + PETER.replace("/", "_"),
        f"{TEXT}\n— PeterNeumann x08gow==\n",
        f"{TEXT}\n— PeterNeumann \n",
        f"{TEXT}\n— PeterNeumann\n",
    ],
)
def test_a_malformed_note_is_refused_as_malformed(note: str | bytes) -> None:
    with pytest.raises(RecordMalformed):
        opened(note)


def test_a_hundred_signatures_are_allowed_and_one_more_is_not() -> None:
    unknown = [Signature(f"key{number}", number, b"x" * 64).to_line() for number in range(100)]
    assert len(opened(NOTE + "".join(unknown[:99])).unverified) == 99
    with pytest.raises(RecordMalformed, match="100"):
        opened(NOTE + "".join(unknown))
    with pytest.raises(RecordMalformed, match="100"):
        opened(f"{TEXT}\n{PETER * 101}")


def test_a_note_over_a_mebibyte_is_refused_before_it_is_read() -> None:
    with pytest.raises(RecordMalformed, match="bytes"):
        opened("x" * MAX_NOTE_BYTES + NOTE)
    with pytest.raises(RecordMalformed, match="bytes"):
        opened("我" * (MAX_NOTE_BYTES // 2) + NOTE)


def test_empty_lines_belong_to_the_text_and_the_last_one_ends_it() -> None:
    for text in ("a\n\nb\n", "\n", "a\n\n", "\n\nwith a — line\n"):
        note = sign_note(text, [signer("PeterNeumann", PETER_SEED)])
        assert opened(note).text == text


# --- Signing --------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "abc", "a\rb\n", "a\x00\n", "\ud800\n", "x" * MAX_NOTE_BYTES + "\n"])
def test_a_text_that_cannot_be_a_note_is_not_signed(text: str) -> None:
    with pytest.raises(RecordMalformed):
        sign_note(text, [signer("PeterNeumann", PETER_SEED)])


@pytest.mark.parametrize(
    ("name", "key_hash"),
    [("", 1), ("a b", 1), ("a+b", 1), ("a\n", 1), ("a\u3000", 1), ("a", -1), ("a", 2**32)],
)
def test_a_key_no_note_can_carry_is_refused(name: str, key_hash: int) -> None:
    with pytest.raises(BadInput):
        sign_note(TEXT, [Signer(name, key_hash, lambda _message: b"x" * 64)])
    with pytest.raises(BadInput):
        open_note(NOTE, [PETER_KEY, Verifier(name, key_hash, lambda _message, _signature: True)])


def test_signing_with_no_key_or_with_one_key_twice_is_refused() -> None:
    peter = signer("PeterNeumann", PETER_SEED)
    with pytest.raises(BadInput):
        sign_note(TEXT, [])
    with pytest.raises(BadInput, match="ambiguous"):
        sign_note(TEXT, [peter, signer("PeterNeumann", PETER_SEED)])


def test_two_verifiers_of_one_name_and_id_are_refused_as_ambiguous() -> None:
    with pytest.raises(BadInput, match="ambiguous"):
        opened(NOTE, PETER_KEY, Verifier("PeterNeumann", 0xC74F20A3, lambda _message, _signature: True))


# --- Verifier keys --------------------------------------------------------------------------


def test_every_part_cut_out_of_a_verifier_key_is_refused() -> None:
    for start in range(len(PETER_VKEY)):
        for end in range(start + 1, len(PETER_VKEY) + 1):
            if (start, end) != (0, len(PETER_VKEY)):
                with pytest.raises(RecordMalformed):
                    parse_vkey(PETER_VKEY[start:end])


def test_every_changed_letter_of_a_verifier_key_is_refused() -> None:
    for at, letter in enumerate(PETER_VKEY):
        with pytest.raises(RecordMalformed):
            parse_vkey(PETER_VKEY[:at] + chr(ord(letter) + 1) + PETER_VKEY[at + 1 :])


@pytest.mark.parametrize(
    "vkey",
    [
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",  # longer, its own ID
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",  # another type, its own ID
        PETER_VKEY.replace("c74f20a3", "C74F20A3"),
        PETER_VKEY + "\n",
        "",
    ],
)
def test_a_verifier_key_of_another_type_length_or_spelling_is_refused(vkey: str) -> None:
    with pytest.raises(RecordMalformed):
        parse_vkey(vkey)


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_an_ed25519_key_is_32_bytes(size: int) -> None:
    with pytest.raises(RecordMalformed):
        VerifierKey("key", bytes(size))


def test_a_key_named_with_letters_of_any_script_is_carried() -> None:
    key = signer("例.example/日志", bytes(32))
    assert opened(sign_note(TEXT, [key]), verifier(vkey_of("例.example/日志", bytes(32)))).text == TEXT
    assert b64encode(key.key_hash.to_bytes(4, "big"))
