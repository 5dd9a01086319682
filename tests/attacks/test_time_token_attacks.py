# SPDX-License-Identifier: Apache-2.0
"""Attacks on time: tokens of other messages, by rogue authorities, with other certificates or digests."""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from asn1crypto import cms, core, tsp
from asn1crypto.x509 import GeneralName, Name
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from evidence.errors import TokenInvalid
from pipeline.tsa.exchange import Response, build_request, granted, refused
from pipeline.tsa.local import LocalAuthority
from pipeline.tsa.port import TimeToken, TrustAnchors
from pipeline.tsa.rfc3161 import verify_response
from tests.support.authorities import (
    CA,
    DAY,
    NOON,
    STAMPING,
    Identity,
    as_asn1,
    authority_by,
    honest,
    identity,
    info_of,
    rebuilt,
    root,
    usage_of,
    with_certificates,
    with_info,
)

SHA = hashlib.sha256(b"evidock.example/log\n7\nroot\n").digest()
OTHER = hashlib.sha256(b"evidock.example/log\n8\nroot\n").digest()
SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def tsa() -> LocalAuthority:
    return honest()


@pytest.fixture(scope="module")
def response(tsa: LocalAuthority) -> bytes:
    return tsa.stamp(SHA, NOON)


@contextmanager
def refused_for(words: str) -> Iterator[None]:
    with pytest.raises(TokenInvalid, match=words):
        yield


def verified(response: bytes, anchors: TrustAnchors, **known: Any) -> TimeToken:
    return verify_response(response, message_sha256=SHA, anchors=anchors, **known)


def test_the_control_token_verifies_and_so_does_the_same_token_rebuilt(tsa: LocalAuthority, response: bytes) -> None:
    for honest_response in (response, rebuilt(response, tsa), with_info(response, tsa, {})):
        token = verified(honest_response, tsa.anchors)
        assert (token.gen_time, token.message_sha256) == (NOON, SHA)


# --- 44 -----------------------------------------------------------------------------------


def test_44_a_token_of_another_checkpoint_is_refused(tsa: LocalAuthority) -> None:
    with refused_for("another message"):
        verified(tsa.stamp(OTHER, NOON), tsa.anchors)


def test_44_the_digest_of_another_checkpoint_written_into_a_token_is_refused(
    tsa: LocalAuthority,
) -> None:
    response = tsa.stamp(OTHER, NOON)
    assert response.count(OTHER) == 1
    with refused_for("not the content that was signed"):
        verified(response.replace(OTHER, SHA), tsa.anchors)


# --- 45 -----------------------------------------------------------------------------------


def test_45_a_rogue_authority_with_the_same_names_and_serials_is_refused() -> None:
    anchor = root(serial=7)
    tsa = authority_by(identity("tsa", above=anchor, serial=8, extensions=[STAMPING]), anchor)
    rogue_anchor = root(serial=7)
    rogue = authority_by(identity("tsa", above=rogue_anchor, serial=8, extensions=[STAMPING]), rogue_anchor)
    response = rogue.stamp(SHA, NOON)
    assert verified(response, rogue.anchors).authority == "CN=tsa"
    with refused_for("signature does not match"):
        verified(response, tsa.anchors)
    with refused_for("VerificationError"):
        verified(with_certificates(response, rogue_anchor.certificate, anchor.certificate), tsa.anchors)


def test_45_a_rogue_signature_under_the_true_certificate_is_refused(response: bytes) -> None:
    anchor = root()
    tsa = authority_by(identity("tsa", above=anchor, extensions=[STAMPING]), anchor)
    stolen_face = LocalAuthority("x", tsa.anchors, tsa.certificate, honest()._key)
    with refused_for("InvalidSignature"):
        verified(stolen_face.stamp(SHA, NOON), tsa.anchors)


# --- 46 -----------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [False, True])
def test_46_a_second_certificate_with_the_signers_issuer_and_serial_is_refused(first: bool) -> None:
    anchor = root()
    tsa = authority_by(identity("tsa", above=anchor, serial=8, extensions=[STAMPING]), anchor)
    twin = identity("tsa", above=root(), serial=8, extensions=[STAMPING])
    response = with_certificates(tsa.stamp(SHA, NOON), twin.certificate, first=first)
    with refused_for("2 certificates have the signer's issuer and serial"):
        verified(response, tsa.anchors)


def test_46_the_true_certificate_beside_a_rogue_signature_lends_it_nothing() -> None:
    anchor = root()
    tsa = authority_by(identity("tsa", above=anchor, serial=8, extensions=[STAMPING]), anchor)
    rogue = authority_by(identity("rogue", extensions=[STAMPING]), anchor)
    for response in (
        with_certificates(rogue.stamp(SHA, NOON), tsa.certificate, anchor.certificate, first=True),
        with_certificates(rogue.stamp(SHA, NOON), tsa.certificate, anchor.certificate),
    ):
        with refused_for("VerificationError"):
            verified(response, tsa.anchors)


def test_46_a_certificate_exchanged_for_another_of_the_same_key_is_refused() -> None:
    anchor = root()
    signer = identity("tsa", above=anchor, serial=8, extensions=[STAMPING])
    renewed = (
        x509.CertificateBuilder(
            issuer_name=anchor.certificate.subject,
            subject_name=signer.certificate.subject,
            public_key=signer.key.public_key(),
            serial_number=8,
            not_valid_before=NOON - 900 * DAY,
            not_valid_after=NOON + 900 * DAY,
        )
        .add_extension(STAMPING.value, critical=True)
        .sign(anchor.key, signer.certificate.signature_hash_algorithm)  # type: ignore[arg-type]
    )
    tsa = authority_by(signer, anchor)

    def exchange(fields: dict[str, Any]) -> None:
        fields["certificates"] = [as_asn1(renewed)]

    with refused_for("not the one that the signature names"):
        verified(rebuilt(tsa.stamp(SHA, NOON), tsa, signed=exchange), tsa.anchors)


def test_46_unrelated_certificates_beside_change_nothing(tsa: LocalAuthority, response: bytes) -> None:
    crowd = [root("somebody").certificate, identity("else", extensions=[STAMPING]).certificate]
    for first in (False, True):
        assert verified(with_certificates(response, *crowd, first=first), tsa.anchors) == verified(
            response, tsa.anchors
        )


def test_46_a_crowd_of_certificates_is_refused(tsa: LocalAuthority, response: bytes) -> None:
    crowd = [root(f"somebody {n}").certificate for n in range(32)]
    with refused_for("33 certificates"):
        verified(with_certificates(response, *crowd), tsa.anchors)


NO_CA = x509.Extension(
    x509.BasicConstraints.oid, critical=True, value=x509.BasicConstraints(ca=False, path_length=None)
)
OTHER_PURPOSES: dict[str, list[x509.Extension[Any]]] = {
    "none stated": [],
    "web server": [usage_of(ExtendedKeyUsageOID.SERVER_AUTH)],
    "any purpose": [usage_of(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)],
    "time and code": [usage_of(ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING)],
    "time, not critical": [usage_of(ExtendedKeyUsageOID.TIME_STAMPING, critical=False)],
}


@pytest.mark.parametrize("purpose", OTHER_PURPOSES)
def test_46_a_certificate_of_the_same_root_for_another_purpose_is_refused(purpose: str) -> None:
    anchor = root()
    other = authority_by(identity("other", above=anchor, extensions=OTHER_PURPOSES[purpose]), anchor)
    with pytest.raises(TokenInvalid):
        verified(other.stamp(SHA, NOON), other.anchors)


@pytest.mark.parametrize("stated", [[], [NO_CA]])
def test_46_a_signer_that_plays_authority_is_refused(stated: list[x509.Extension[Any]]) -> None:
    anchor = root()
    signer = identity("tsa", above=anchor, extensions=[STAMPING, *stated])
    sub = authority_by(identity("sub", above=signer, extensions=[STAMPING]), anchor)
    with refused_for("VerificationError"):
        verified(with_certificates(sub.stamp(SHA, NOON), signer.certificate), sub.anchors)


def test_46_a_certificate_whose_key_is_not_for_signatures_is_refused() -> None:
    anchor = root()
    usage = x509.KeyUsage(False, False, True, False, False, False, False, False, False)
    stated = x509.Extension(x509.KeyUsage.oid, critical=True, value=usage)
    tsa = authority_by(identity("tsa", above=anchor, extensions=[STAMPING, stated]), anchor)
    with refused_for("not for signatures"):
        verified(tsa.stamp(SHA, NOON), tsa.anchors)


def test_46_a_way_over_an_authority_that_may_not_certify_is_refused_and_over_one_that_may_is_not() -> None:
    anchor = root()
    for may in (True, False):
        usage = x509.KeyUsage(True, False, False, False, False, may, False, False, False)
        stated = x509.Extension(x509.KeyUsage.oid, critical=True, value=usage)
        middle = identity("middle", above=anchor, extensions=[CA, stated])
        tsa = authority_by(identity("tsa", above=middle, extensions=[STAMPING]), anchor)
        response = with_certificates(tsa.stamp(SHA, NOON), middle.certificate)
        if may:
            assert verified(response, tsa.anchors).gen_time == NOON
        else:
            with refused_for("may not sign certificates"):
                verified(response, tsa.anchors)


# --- 47 -----------------------------------------------------------------------------------


def test_47_a_sha1_imprint_is_refused(tsa: LocalAuthority, response: bytes) -> None:
    sha1 = hashlib.sha1(b"x", usedforsecurity=False).digest()
    imprint = {"hash_algorithm": {"algorithm": "sha1"}, "hashed_message": sha1}
    with refused_for("digest is sha1"):
        verified(with_info(response, tsa, {"message_imprint": imprint}), tsa.anchors)


@pytest.mark.parametrize("algorithm", ["sha3_256", "sha512_256", "sha1", "md5", "1.2.3.4"])
def test_47_the_right_digest_under_another_algorithm_is_refused(
    tsa: LocalAuthority, response: bytes, algorithm: str
) -> None:
    imprint = {"hash_algorithm": {"algorithm": algorithm}, "hashed_message": SHA}
    with pytest.raises(TokenInvalid):
        verified(with_info(response, tsa, {"message_imprint": imprint}), tsa.anchors)


def test_47_a_token_signed_over_a_weak_digest_is_refused(tsa: LocalAuthority, response: bytes) -> None:
    def weaken(info: dict[str, Any]) -> None:
        info["digest_algorithm"] = {"algorithm": "sha1"}

    with pytest.raises(TokenInvalid):
        verified(rebuilt(response, tsa, signer_info=weaken), tsa.anchors)


# --- 48 -----------------------------------------------------------------------------------


def test_48_a_time_before_the_checkpoint_before_is_refused(tsa: LocalAuthority) -> None:
    response = tsa.stamp(SHA, NOON)
    assert verified(response, tsa.anchors, not_before=NOON).gen_time == NOON
    with refused_for("before"):
        verified(response, tsa.anchors, not_before=NOON + 2 * SECOND)


def test_48_a_time_after_the_clock_of_the_asker_is_refused(tsa: LocalAuthority) -> None:
    response = tsa.stamp(SHA, NOON)
    assert verified(response, tsa.anchors, not_after=NOON).gen_time == NOON
    with refused_for("after"):
        verified(response, tsa.anchors, not_after=NOON - 2 * SECOND)


# --- 51 -----------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["signer", "root"])
@pytest.mark.parametrize("when", ["expired", "not yet"])
def test_51_a_certificate_that_is_not_valid_at_the_time_stated_is_refused(who: str, when: str) -> None:
    life = (NOON - 9 * DAY, NOON - SECOND) if when == "expired" else (NOON + SECOND, NOON + 9 * DAY)
    valid = (NOON - DAY, NOON + DAY)
    anchor = root(life=life if who == "root" else valid)
    signer = identity("tsa", above=anchor, extensions=[STAMPING], life=life if who == "signer" else valid)
    anyone = honest()
    clockless = LocalAuthority("x", TrustAnchors((anchor.certificate,)), anyone.certificate, signer.key)
    response = _signed_as(signer, clockless)
    with refused_for("not valid at validation time"):
        verified(response, clockless.anchors)


def _signed_as(signer: Identity, clockless: LocalAuthority) -> bytes:
    """A token that names `signer`, made by an authority that does not look at its certificate's dates."""

    def reference(listed: list[Any]) -> None:
        for attribute in listed:
            if attribute["type"].native == "signing_certificate_v2":
                digest = hashlib.sha256(as_asn1(signer.certificate).dump()).digest()
                attribute["values"] = [{"certs": [{"cert_hash": digest}]}]

    def name(info: dict[str, Any]) -> None:
        certificate = as_asn1(signer.certificate)
        named = {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
        info["sid"] = cms.SignerIdentifier("issuer_and_serial_number", cms.IssuerAndSerialNumber(named))

    def carry(fields: dict[str, Any]) -> None:
        fields["certificates"] = [as_asn1(signer.certificate)]

    stamped = clockless.stamp(SHA, NOON)
    return rebuilt(stamped, clockless, attributes=reference, signer_info=name, signed=carry)


def test_51_a_missing_or_another_nonce_is_refused(tsa: LocalAuthority) -> None:
    asked = tsa.answer(build_request(SHA, nonce=5), now=NOON)
    assert verified(asked, tsa.anchors, nonce=5).nonce == 5
    for response in (tsa.stamp(SHA, NOON), tsa.answer(build_request(SHA, nonce=6), now=NOON)):
        with refused_for("nonce"):
            verified(response, tsa.anchors, nonce=5)


@pytest.mark.parametrize("status", ["rejection", "waiting", "revocation_warning", "revocation_notification"])
def test_51_a_token_in_a_response_that_does_not_grant_it_is_refused(
    tsa: LocalAuthority, response: bytes, status: str
) -> None:
    token = Response.load(response)["time_stamp_token"]
    with refused_for("did not grant"):
        verified(Response({"status": {"status": status}, "time_stamp_token": token}).dump(), tsa.anchors)


def test_51_a_refusal_or_a_grant_without_a_token_is_refused(tsa: LocalAuthority) -> None:
    with refused_for("bad_alg"):
        verified(refused("bad_alg"), tsa.anchors)
    with refused_for("without a token"):
        verified(Response({"status": {"status": "granted"}}).dump(), tsa.anchors)


# --- other lies that are well signed --------------------------------------------------------


def _without(name: str) -> Any:
    def change(listed: list[Any]) -> None:
        listed[:] = [attribute for attribute in listed if attribute["type"].native != name]

    return change


def _twice(name: str) -> Any:
    def change(listed: list[Any]) -> None:
        listed += [attribute.copy() for attribute in listed if attribute["type"].native == name]

    return change


ATTRIBUTES = ["content_type", "message_digest", "signing_certificate_v2"]


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_token_without_a_signed_attribute_is_refused(tsa: LocalAuthority, response: bytes, name: str) -> None:
    with refused_for(f"0 of signed attribute {name}"):
        verified(rebuilt(response, tsa, attributes=_without(name)), tsa.anchors)


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_token_with_a_signed_attribute_twice_is_refused(tsa: LocalAuthority, response: bytes, name: str) -> None:
    with refused_for(f"2 of signed attribute {name}"):
        verified(rebuilt(response, tsa, attributes=_twice(name)), tsa.anchors)


def test_a_signed_attribute_with_two_values_is_refused(tsa: LocalAuthority, response: bytes) -> None:
    def double(listed: list[Any]) -> None:
        for attribute in listed:
            if attribute["type"].native == "message_digest":
                attribute["values"] = [attribute["values"][0].native, b"\0" * 32]

    with refused_for("2 of value of message_digest"):
        verified(rebuilt(response, tsa, attributes=double), tsa.anchors)


def test_a_token_signed_as_another_kind_of_content_is_refused(tsa: LocalAuthority, response: bytes) -> None:
    def claim(listed: list[Any]) -> None:
        for attribute in listed:
            if attribute["type"].native == "content_type":
                attribute["values"] = ["data"]

    with refused_for("another kind of content"):
        verified(rebuilt(response, tsa, attributes=claim), tsa.anchors)


def test_a_token_without_or_with_two_signers_is_refused(tsa: LocalAuthority, response: bytes) -> None:
    def none(fields: dict[str, Any]) -> None:
        fields["signer_infos"] = []

    def two(fields: dict[str, Any]) -> None:
        fields["signer_infos"] = fields["signer_infos"] * 2

    for change, count in ((none, 0), (two, 2)):
        with refused_for(f"{count} of signer"):
            verified(rebuilt(response, tsa, signed=change), tsa.anchors)


def test_a_token_without_signed_attributes_is_refused(tsa: LocalAuthority, response: bytes) -> None:
    def bare(info: dict[str, Any]) -> None:
        del info["signed_attrs"]

    with pytest.raises(TokenInvalid):
        verified(rebuilt(response, tsa, signer_info=bare), tsa.anchors)


@pytest.mark.parametrize(
    "misnamed", [{"serial_number": 1}, {"issuer": [GeneralName("directory_name", Name.build({}))]}]
)
def test_a_reference_to_a_certificate_of_another_issuer_or_serial_is_refused(
    tsa: LocalAuthority, response: bytes, misnamed: dict[str, Any]
) -> None:
    def misname(listed: list[Any]) -> None:
        for attribute in listed:
            if attribute["type"].native == "signing_certificate_v2":
                reference = attribute["values"][0]["certs"][0].copy()
                for field, value in misnamed.items():
                    reference["issuer_serial"][field] = value
                attribute["values"] = [{"certs": [reference]}]

    with refused_for("another issuer or serial"):
        verified(rebuilt(response, tsa, attributes=misname), tsa.anchors)


def test_bytes_after_the_time_stamp_that_are_signed_too_are_refused(tsa: LocalAuthority, response: bytes) -> None:
    with refused_for("trailing"):
        verified(rebuilt(response, tsa, content=info_of(response).dump() + b"\5\0"), tsa.anchors)


def test_a_response_of_over_64_kib_is_not_parsed(tsa: LocalAuthority, response: bytes) -> None:
    token = Response.load(response)["time_stamp_token"]
    for size in (10, 70_000):
        status = {"status": "granted", "status_string": ["x" * size]}
        padded = Response({"status": status, "time_stamp_token": token}).dump()
        if size == 10:
            assert verified(padded, tsa.anchors).gen_time == NOON
        else:
            with refused_for("bytes"):
                verified(padded, tsa.anchors)


@pytest.mark.parametrize(
    "text",
    [b"20261101120060Z", b"20261301120000Z", b"20260230120000Z", b"202611011200.5Z", b"2026110112000\0Z",
     b"20261101120000 ", b"202611011200+01"],
)  # fmt: skip
def test_a_time_that_is_no_time_is_refused(tsa: LocalAuthority, response: bytes, text: bytes) -> None:
    content = info_of(response).dump()
    assert content.count(b"20261101120000Z") == 1
    with pytest.raises(TokenInvalid):
        verified(rebuilt(response, tsa, content=content.replace(b"20261101120000Z", text)), tsa.anchors)


@pytest.mark.parametrize("accuracy", [{"seconds": 3601}, {"seconds": -1}, {"millis": 1000}, {"micros": -1}])
def test_an_accuracy_that_says_nothing_is_refused(
    tsa: LocalAuthority, response: bytes, accuracy: dict[str, int]
) -> None:
    with refused_for("accuracy"):
        verified(with_info(response, tsa, {"accuracy": accuracy}), tsa.anchors)


def test_a_critical_extension_is_refused_and_another_is_not(tsa: LocalAuthority, response: bytes) -> None:
    for is_critical in (False, True):
        extension = {"extn_id": "1.2.3.4", "critical": is_critical, "extn_value": b"\5\0"}
        changed = with_info(response, tsa, {"extensions": [extension]})
        if is_critical:
            with refused_for("critical extension"):
                verified(changed, tsa.anchors)
        else:
            assert verified(changed, tsa.anchors).gen_time == NOON


def test_a_time_stamp_of_another_version_is_refused(tsa: LocalAuthority, response: bytes) -> None:
    content = info_of(response).dump()
    assert content[3:6] == b"\2\1\1"
    with refused_for("version"):
        verified(rebuilt(response, tsa, content=content[:5] + b"\2" + content[6:]), tsa.anchors)


# --- bytes --------------------------------------------------------------------------------


def test_every_single_flipped_bit_is_refused_or_changes_nothing_that_is_believed(
    tsa: LocalAuthority, response: bytes
) -> None:
    """A flip may pass unseen only in the unsigned status (granted, with or without modifications)
    and in the CMS version (3, 4 and 5 are all in use)."""
    believed = verified(response, tsa.anchors)
    unseen = []
    for bit in range(len(response) * 8):
        changed = bytearray(response)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            token = verified(bytes(changed), tsa.anchors)
        except TokenInvalid:
            continue
        assert token == believed
        unseen.append(bit)
    status = Response.load(response)["status"].dump()
    start = response.index(status)
    version = start + len(status) + response[start + len(status) :].index(b"\x02\x01\x03") + 2
    assert {bit // 8 for bit in unseen} <= {*range(start, start + len(status)), version}
    assert len(unseen) <= 4


def test_every_truncation_and_every_trailing_byte_is_refused(tsa: LocalAuthority, response: bytes) -> None:
    for size in range(0, len(response), 3):
        with pytest.raises(TokenInvalid):
            verified(response[:size], tsa.anchors)
    for more in (b"\0", b"\5\0", response):
        with pytest.raises(TokenInvalid):
            verified(response + more, tsa.anchors)


def test_random_and_nested_and_endless_bytes_are_refused(tsa: LocalAuthority, response: bytes) -> None:
    rng = random.Random(3161)
    hostile = [rng.randbytes(rng.randrange(200)) for _ in range(200)]
    hostile += [b"", b"0", b"\x30\x80" * 10_000, b"\x30\x84\xff\xff\xff\xff", b"\xa0" * 60_000]
    hostile += [response + b"\0" * 70_000, b"-----BEGIN TIMESTAMP-----", b"<html>"]
    nested = b""
    for _ in range(3_000):
        nested = core.Sequence(contents=nested).dump()
    for data in [*hostile, nested]:
        with pytest.raises(TokenInvalid):
            verified(data, tsa.anchors)


def test_two_random_bytes_changed_never_raise_anything_else(tsa: LocalAuthority, response: bytes) -> None:
    rng = random.Random(5816)
    believed = verified(response, tsa.anchors)
    for _ in range(1_000):
        changed = bytearray(response)
        for _ in range(2):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        try:
            assert verified(bytes(changed), tsa.anchors) == believed
        except TokenInvalid:
            continue


def test_signed_data_that_is_no_time_stamp_is_refused(tsa: LocalAuthority, response: bytes) -> None:
    def data(fields: dict[str, Any]) -> None:
        fields["encap_content_info"] = {"content_type": "data", "content": tsp.TSTInfo.load(b"\x30\0").dump()}

    with refused_for("not a time-stamp"):
        verified(rebuilt(response, tsa, signed=data), tsa.anchors)
    plain = granted(cms.ContentInfo({"content_type": "data", "content": b"x"}))
    with refused_for("not CMS signed data"):
        verified(plain, tsa.anchors)
