"""Signing and verifying: every kind of damage is told, by the name of the file that has it."""

from __future__ import annotations

import base64
import hashlib
import json
import stat
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from pipelines import trusted_keys
from pipelines.cli import app
from pipelines.doctor import look_at_signing
from pipelines.errors import SigningKeyError, VerificationError
from pipelines.extracts.canonical_json import canonical_json
from pipelines.signing import (
    PublicKey,
    Signer,
    new_private_key,
    read_public_key,
    read_signature,
    read_signer,
)
from pipelines.trusted_keys import TrustedKey, TrustedKeys, add_key, revoke_key, trusted_by
from pipelines.verification import Finding, verify_folder
from pipelines.withdrawn import NOTICE_FILE, NOTICES_FILE, notices_file, signed_notice
from tests.toy_city import write_toy_city

SEED = base64.b64encode(bytes(range(32))).decode()
OTHER_SEED = base64.b64encode(bytes(range(1, 33))).decode()
FILES = {"a.csv": b"a,b\r\n1,2\r\n", "a.json": b'[{"a":1}]\n', "empty.csv": b""}


def public(seed: str) -> PublicKey:
    key = read_signer(seed).public
    assert key is not None
    return key


def trusted(seed: str = SEED, **told: object) -> TrustedKeys:
    key = public(seed)
    facts = {"id": key.key_id, "public_key": key.text, **told}
    return TrustedKeys([TrustedKey.model_validate(facts)])


def write_extracts(folder: Path, signer: Signer) -> Path:
    folder.mkdir(parents=True)
    listed = []
    for name, payload in FILES.items():
        (folder / name).write_bytes(payload)
        listed.append({"file": name, "sha256": hashlib.sha256(payload).hexdigest()})
    manifest = canonical_json(
        {
            "city": "toy",
            "service_date": "2026-11-18",
            "edition": 1,
            "files": listed,
            "signature": signer.text,
        }
    )
    (folder / "manifest.json").write_bytes(manifest)
    if signature := signer.sign(manifest):
        (folder / "manifest.sig").write_bytes(signature.file())
    return folder


@pytest.fixture
def extracts(tmp_path: Path) -> Path:
    return write_extracts(tmp_path / "extracts" / "2026-11-18", read_signer(SEED))


def told(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.kind, finding.file) for finding in findings]


def test_a_whole_folder_has_no_findings(extracts: Path) -> None:
    assert verify_folder(extracts, trusted()) == []
    with pytest.raises(VerificationError, match="There is no folder"):
        verify_folder(extracts / "none", trusted())


@pytest.fixture(scope="module")
def one_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_extracts(tmp_path_factory.mktemp("flips") / "night", read_signer(SEED))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_byte_flipped_anywhere_is_told_by_its_file(data: st.DataObject, one_folder: Path) -> None:
    names = sorted(path.name for path in one_folder.iterdir() if path.stat().st_size)
    path = one_folder / data.draw(st.sampled_from(names))
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    flipped = whole[place] ^ data.draw(st.integers(1, 255))
    path.write_bytes(whole[:place] + bytes([flipped]) + whole[place + 1 :])
    try:
        findings = verify_folder(one_folder, trusted())
    finally:
        path.write_bytes(whole)
    assert path.name in " ".join(f"{finding.file} {finding.text}" for finding in findings)
    if path.name in FILES:
        assert told(findings) == [("changed", path.name)]


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda f: (f / "a.csv").unlink(), [("missing", "a.csv")]),
        (lambda f: (f / "b.csv").touch(), [("extra", "b.csv")]),
        (lambda f: (f / "more").mkdir(), [("extra", "more")]),
        (lambda f: (f / "empty.csv").write_bytes(b"x"), [("changed", "empty.csv")]),
        (lambda f: (f / "manifest.json").unlink(), [("missing", "manifest.json")]),
        (lambda f: (f / "manifest.sig").unlink(), [("unsigned", "manifest.sig")]),
        (
            lambda f: (f / "manifest.sig").write_bytes(b"{}"),
            [("signature changed", "manifest.sig")],
        ),
        (
            lambda f: (f / "manifest.json").write_bytes(b"["),
            [("manifest changed", "manifest.json")],
        ),
        (
            lambda f: (f / "manifest.json").write_bytes(b"[" * 100_000),
            [("manifest changed", "manifest.json")],
        ),
    ],
)
def test_each_kind_of_damage(extracts: Path, damage: object, expected: object) -> None:
    assert callable(damage)
    damage(extracts)
    assert told(verify_folder(extracts, trusted())) == expected


def test_a_manifest_that_fits_changed_files_is_still_not_what_was_signed(extracts: Path) -> None:
    (extracts / "a.csv").write_bytes(b"forged")
    manifest = json.loads((extracts / "manifest.json").read_bytes())
    manifest["files"][0]["sha256"] = hashlib.sha256(b"forged").hexdigest()
    (extracts / "manifest.json").write_bytes(canonical_json(manifest))
    assert told(verify_folder(extracts, trusted())) == [("manifest changed", "manifest.json")]
    manifest["signature"] = "none: no key"  # a forger takes the signature off
    (extracts / "manifest.json").write_bytes(canonical_json(manifest))
    (extracts / "manifest.sig").unlink()
    assert told(verify_folder(extracts, trusted())) == [("unsigned", "manifest.json")]


def test_a_manifest_may_name_no_file_elsewhere(extracts: Path) -> None:
    manifest = json.loads((extracts / "manifest.json").read_bytes())
    manifest["files"].append({"file": "../a.csv", "sha256": ""})
    (extracts / "manifest.json").write_bytes(canonical_json(manifest))
    texts = [finding.text for finding in verify_folder(extracts, trusted())]
    assert "It lists '../a.csv', no file of a folder." in texts


def test_wrong_key_revoked_key_and_key_of_later_nights(extracts: Path) -> None:
    assert told(verify_folder(extracts, trusted(OTHER_SEED))) == [("wrong key", "manifest.sig")]
    revoked = trusted(revoked_from="2026-11-18", reason="rotation")
    (finding,) = verify_folder(extracts, revoked)
    assert finding.kind == "revoked key"
    assert finding.text.endswith("is revoked from 2026-11-18 on: rotation.")
    assert verify_folder(extracts, trusted(revoked_from="2026-11-19", reason="rotation")) == []
    later = verify_folder(extracts, trusted(valid_from="2026-11-19"))
    assert later[0].text.endswith("is valid from 2026-11-19 on.")
    # A forger puts the trusted key's name on a signature of another key.
    manifest = (extracts / "manifest.json").read_bytes()
    forged = read_signer(OTHER_SEED).sign(manifest)
    assert forged is not None
    signature = {**forged.as_json(), "key_id": trusted().keys[0].id}
    (extracts / "manifest.sig").write_bytes(canonical_json(signature))
    assert told(verify_folder(extracts, trusted())) == [("manifest changed", "manifest.json")]


@pytest.mark.parametrize(
    ("key", "says"),
    [("", "none: no key"), ("rubbish", "none: malformed key"), ("QUJD", "none: malformed key"),
     ("-----BEGIN PRIVATE KEY-----\nQUJD\n-----END PRIVATE KEY-----", "none: malformed key")],
)  # fmt: skip
def test_without_a_good_key_extracts_say_that_they_are_unsigned(
    tmp_path: Path, key: str, says: str
) -> None:
    folder = write_extracts(tmp_path / "night", read_signer(key))
    (finding,) = verify_folder(folder, trusted())
    assert (finding.kind, finding.text) == ("unsigned", f"The manifest is not signed ({says}).")


NOTICE = {
    "city": "toy",
    "service_date": "2026-11-18",
    "edition": 1,
    "manifest_sha256": "",
    "reason": "Counted twice.",
    "successor": "edition 2 of 2026-11-18",
}


@pytest.mark.parametrize("name", [NOTICE_FILE, f"../{NOTICES_FILE}"])
@pytest.mark.parametrize(
    ("seed", "doubt"),
    [(SEED, ""), ("", " (This notice is not signed.)"), (OTHER_SEED, "which is not trusted.)")],
)
def test_a_withdrawal_is_told_from_the_folder_and_from_the_list(
    extracts: Path, name: str, seed: str, doubt: str
) -> None:
    others = [signed_notice({**NOTICE, "edition": 2}, read_signer(seed))] if ".." in name else []
    notice = signed_notice(NOTICE, read_signer(seed))
    text = notices_file([*others, notice]) if ".." in name else notice.line()
    (extracts / name).write_bytes(text)
    (finding,) = verify_folder(extracts, trusted())
    assert (finding.kind, finding.file) == ("withdrawn", Path(name).name)
    assert "Counted twice. edition 2 of 2026-11-18 stands in its place." in finding.text
    assert finding.text.endswith(doubt)


def test_a_notice_that_was_changed_or_belongs_elsewhere(extracts: Path) -> None:
    notice = signed_notice(NOTICE, read_signer(SEED)).line()
    (extracts / NOTICE_FILE).write_bytes(notice.replace(b"twice", b"right"))
    (finding,) = verify_folder(extracts, trusted())
    assert "it was changed" in finding.text
    elsewhere = signed_notice({**NOTICE, "service_date": "2026-11-17"}, read_signer(SEED))
    (extracts / NOTICE_FILE).write_bytes(elsewhere.line())
    assert told(verify_folder(extracts, trusted())) == [("notice changed", NOTICE_FILE)]
    (extracts / NOTICE_FILE).write_bytes(b"{")
    assert told(verify_folder(extracts, trusted())) == [("notice changed", NOTICE_FILE)]


def test_the_same_bytes_have_the_same_signature() -> None:
    first, second = (read_signer(SEED).sign(b"night") for _ in range(2))
    assert first == second
    assert first is not None
    assert read_signature(first.as_json()) == first
    assert not public(OTHER_SEED).has_signed(b"night", first.raw)
    pem, key = new_private_key()
    assert read_signer(pem).public == key
    assert read_public_key(key.text) == key


def test_a_signature_has_one_spelling() -> None:
    signature = read_signer(SEED).sign(b"night")
    assert signature is not None
    text = str(signature.as_json()["signature"])
    assert text.endswith("==")
    last = chr(ord(text[-3]) + 1)  # a bit that base64 does not use
    with pytest.raises(ValueError, match=r"canonically|base64"):
        read_signature({**signature.as_json(), "signature": f"{text[:-3]}{last}=="})


def test_keys_are_made_rotated_and_revoked(tmp_path: Path) -> None:
    path = tmp_path / "toy.trusted_keys.json"
    first = add_key(path, tmp_path / "secrets" / "first.pem", None)
    second = add_key(path, tmp_path / "secrets" / "second.pem", date(2026, 12, 1))
    private = tmp_path / "secrets" / "first.pem"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert "PRIVATE" not in path.read_text()
    with pytest.raises(SigningKeyError, match=r"first\.pem can't be written"):
        add_key(path, private, None)
    revoke_key(path, first.id, date(2026, 12, 1), "rotation")
    keys = trusted_by(str(path)).keys
    assert [(key.id, key.objection(date(2026, 12, 1))) for key in keys] == [
        (first.id, "is revoked from 2026-12-01 on: rotation"),
        (second.id, ""),
    ]
    with pytest.raises(SigningKeyError, match="has no key 'abc'"):
        revoke_key(path, "abc", date(2026, 12, 1), "why")
    with pytest.raises(SigningKeyError, match="for a reason"):
        revoke_key(path, first.id, date(2026, 12, 1), " ")


def test_a_key_can_take_no_other_keys_name(tmp_path: Path) -> None:
    path = tmp_path / "trusted_keys.json"
    key = {"id": public(SEED).key_id, "public_key": public(OTHER_SEED).text}
    path.write_text(json.dumps({"keys": [key]}))
    with pytest.raises(SigningKeyError, match="the key that is named"):
        trusted_by(str(path))
    with pytest.raises(SigningKeyError, match="no public key of Ed25519"):
        trusted_by("rubbish")


def test_the_command_tells_by_its_exit_code(extracts: Path) -> None:
    command_line = CliRunner()
    verify = ["verify", str(extracts), "--key"]
    whole = command_line.invoke(app, [*verify, public(SEED).text])
    assert (whole.exit_code, "is whole" in whole.output) == (0, True)
    wrong = command_line.invoke(app, [*verify, public(OTHER_SEED).text])
    assert (wrong.exit_code, "wrong key: manifest.sig" in wrong.output) == (1, True)
    cannot = command_line.invoke(app, [*verify, "rubbish"])
    assert isinstance(cannot.exception, SigningKeyError)  # `main` makes it exit code 2


def test_a_revoked_key_signs_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    city_file = write_toy_city(tmp_path)
    monkeypatch.setenv("QALA_CITY", str(city_file))
    settings_now = trusted_keys.Settings(city_file, tmp_path, "", "")
    key = add_key(settings_now.trusted_keys, tmp_path / "key.pem", None)
    monkeypatch.setenv("QALA_SIGNING_KEY", str(tmp_path / "key.pem"))
    assert trusted_keys.load_signer(settings_now).text == f"Ed25519 {key.id}"
    revoke_key(settings_now.trusted_keys, key.id, date(2026, 12, 1), "stolen")
    before = trusted_keys.load_signer(settings_now, date(2026, 11, 30))
    after = trusted_keys.load_signer(settings_now, date(2026, 12, 1))
    assert before.text == f"Ed25519 {key.id}"
    assert after.text == f"none: the key {key.id} is revoked from 2026-12-01 on: stolen"
    (tmp_path / "key.pem").unlink()  # a path that leads nowhere is no key, and no failure
    assert trusted_keys.load_signer(settings_now).text == "none: malformed key"


def test_keys_on_the_command_line_and_what_doctor_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    city_file = write_toy_city(tmp_path)
    monkeypatch.setenv("QALA_CITY", str(city_file))
    monkeypatch.delenv("QALA_SIGNING_KEY", raising=False)
    here = trusted_keys.Settings(city_file, tmp_path, "", "")
    command_line = CliRunner()

    def doctor() -> tuple[str, bool]:
        (finding,) = look_at_signing(here)
        return finding.found, finding.is_well

    assert doctor() == ("extracts go out unsigned: no key", True)  # nobody has asked for signatures
    made = command_line.invoke(app, ["keys", "new", "--out", str(tmp_path / "key.pem")])
    assert made.exit_code == 0
    assert "PRIVATE" not in made.output
    assert doctor() == ("extracts go out unsigned: no key", False)
    (key,) = trusted_by(str(here.trusted_keys)).keys
    monkeypatch.setenv("QALA_SIGNING_KEY", str(tmp_path / "key.pem"))
    assert doctor() == (f"Ed25519 {key.id}", True)
    monkeypatch.setenv("QALA_SIGNING_KEY", SEED)
    assert doctor() == (f"Ed25519 {public(SEED).key_id}", False)  # nobody could verify it
    monkeypatch.setenv("QALA_SIGNING_KEY", "rubbish")
    assert doctor() == ("extracts go out unsigned: malformed key", False)
    told = ["keys", "revoke", key.id, "--from", "2026-12-01", "--reason", "rotation"]
    assert command_line.invoke(app, told).exit_code == 0
    listed = command_line.invoke(app, ["keys", "list"])
    assert "rotation" in listed.output
    assert "malformed key" in listed.output
