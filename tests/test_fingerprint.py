"""What decides whether a table is made again."""

from __future__ import annotations

import pytest

from pipelines import fingerprint
from pipelines.fingerprint import _closure, code_hash, code_version, definition_hash, digest


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


def test_another_library_is_no_other_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    module = "pipelines.marts.metro_reach"
    definition, code = definition_hash(module), code_hash(module)
    for hashed in (definition_hash, code_hash):
        hashed.cache_clear()
    monkeypatch.setattr(fingerprint, "_library_versions", lambda: (("polars", "0"),))
    assert definition_hash(module) == definition
    assert code_hash(module) != code
    assert definition_hash(module, "SELECT 1") != definition
    code_hash.cache_clear()
