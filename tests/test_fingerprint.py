"""What decides whether a table is made again."""

from __future__ import annotations

from pipelines.fingerprint import _closure, code_hash, code_version, digest


def test_a_digest_knows_values_not_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest("a", "b") != digest("ab")
    assert digest(1) != digest("1")


def test_a_module_s_hash_covers_what_it_imports() -> None:
    names = {path.name for path in _closure("pipelines.marts.metro_reach")}
    assert {"metro_reach.py", "residents.py", "figure.py", "night.py"} <= names
    assert "diesel_phase_out.py" not in names
    assert code_hash("pipelines.marts.metro_reach") != code_hash("pipelines.marts.bus_reach")


def test_the_code_version_is_release_and_hash() -> None:
    release, _, source = code_version().partition("+")
    assert release[0].isdigit()
    assert len(source) == 12
