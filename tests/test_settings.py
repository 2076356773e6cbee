"""The city file: what it says, and what is said of a wrong one."""

from __future__ import annotations

import os
from datetime import date, time
from pathlib import Path

import pytest

from pipelines.city_file import City, load_city
from pipelines.errors import SettingsError
from pipelines.night import Event
from pipelines.settings import ROOT, keep_compiled_code, load_secrets, load_settings

LEAST = """
[city]
id = "toy"
name = "Toytown"
time_zone = "Asia/Almaty"

[sources.feed]
kind = "gtfs"
address = "feed.zip"
format = "zip"
mark = "measured"
"""


def city_of(folder: Path, text: str) -> City:
    path = folder / "toy.toml"
    path.write_text(text)
    return load_city(path)


def test_defaults_of_the_least_city_file(tmp_path: Path) -> None:
    city = city_of(tmp_path, LEAST)
    assert city.schedule.hour == time(3)
    assert city.window().label == "07:00-09:00"
    assert not city.sources["feed"].critical


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ("adress", "address", "`sources.feed.adress` is an unknown key (did you mean `address`?)"),
        ('id = "Toy City"', 'id = "toy"', "`city.id`: "),
        ('"Asia/Almatty"', '"Asia/Almaty"', "`city.time_zone`: 'Asia/Almatty' is no time zone"),
        ('kind = "gtsf"', 'kind = "gtfs"', "`sources.feed.kind`: "),
        ('mark = "true"', 'mark = "measured"', "`sources.feed.mark`: "),
        ("", 'name = "Toytown"', "`city.name` is missing"),
        ('name = "T"\nfigures = ["metro_reech"]', 'name = "Toytown"', "are: metro_reach (found"),
        ("[citty]", "[city]", "`citty` is an unknown key (did you mean `city`?)"),
        ("[city", "[city]", "is not TOML"),
    ],
)
def test_a_wrong_key_is_named_by_its_path(
    tmp_path: Path, wrong: str, right: str, said: str
) -> None:
    assert right in LEAST
    with pytest.raises(SettingsError) as raised:
        city_of(tmp_path, LEAST.replace(right, wrong))
    assert said in str(raised.value)
    assert str(tmp_path / "toy.toml") in str(raised.value)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ('headers = { "X-Key" = "{secret:Bus}" }', "a secret is written {secret:name}"),
        ('headers = { "X Key" = "word" }', "'X Key' is no name of a header"),
        ('headers = { "Host" = "word" }', "Host is said by the fetcher itself"),
        ('headers = { "X-Key" = "wo\\nrd" }', "X-Key may hold printable ASCII alone"),
        ('s3 = { region = "eu-north-1" }', "s3 is for an s3: address alone"),
    ],
)
def test_keys_of_an_address_that_make_no_sense(tmp_path: Path, key: str, said: str) -> None:
    text = LEAST.replace("feed.zip", "https://a.example/feed.zip") + key
    with pytest.raises(SettingsError) as raised:
        city_of(tmp_path, text)
    assert said in str(raised.value)
    assert "word" not in str(raised.value)


@pytest.mark.parametrize(
    ("kind", "plates", "said"),
    [
        ("gtfs", 'column = "plate"\nkey = "{secret:k}"', "plates is for the kinds passages, toll"),
        ("passages", 'column = "plate"\nkey = "a word"', "key must name a secret: write {secret:"),
        ("passages", 'column = "plate"\nkey = "word{secret:k}"', "key must name a secret"),
        ("passages", 'column = "plate"', "`sources.feed.plates.key` is missing"),
        ("passages", 'colum = "plate"\nkey = "{secret:k}"', "did you mean `column`?"),
        ("passages", 'column = ""\nkey = "{secret:k}"', "`sources.feed.plates.column`"),
    ],
)
def test_plates_in_clear_want_a_kind_a_column_and_a_key(
    tmp_path: Path, kind: str, plates: str, said: str
) -> None:
    text = LEAST.replace('kind = "gtfs"', f'kind = "{kind}"')
    with pytest.raises(SettingsError) as raised:
        city_of(tmp_path, f"{text}\n[sources.feed.plates]\n{plates}\n")
    assert said in str(raised.value)
    assert "a word" not in str(raised.value)


def test_the_key_of_plates_is_a_secret_of_its_source(tmp_path: Path) -> None:
    plates = '[sources.feed.plates]\ncolumn = "plate"\nkey = "{secret:plate_key}"\n'
    text = LEAST.replace('kind = "gtfs"', 'kind = "toll_transactions"')
    city = city_of(tmp_path, f"{text}\n{plates}")
    assert city.sources["feed"].secret_names == ["plate_key"]


@pytest.mark.parametrize(
    ("address", "key"),
    [("feed.zip", 'headers = { "X-Key" = "x" }'), ("{secret:folder}/feed.zip", "")],
)
def test_secrets_and_headers_are_for_http_alone(tmp_path: Path, address: str, key: str) -> None:
    with pytest.raises(SettingsError, match="are for http: and https: alone"):
        city_of(tmp_path, LEAST.replace("feed.zip", address) + key)


EVENTS = """
[[events]]
id = "opening"
first_date = 2023-06-16
settled_date = 2023-07-21
name = "The ring opens"

[[events]]
id = "tariffs"
first_date = 2026-01-01
settled_date = 2026-01-01
"""


def test_events_come_in_order_of_time(tmp_path: Path) -> None:
    opening, tariffs = city_of(tmp_path, LEAST + EVENTS).dated_events
    assert opening == Event("opening", date(2023, 6, 16), date(2023, 7, 21), "The ring opens")
    assert tariffs == Event("tariffs", date(2026, 1, 1), date(2026, 1, 1))
    assert city_of(tmp_path, LEAST).dated_events == ()


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        (
            "2023-07-21",
            "2023-06-15",
            "`events.0`: settled_date must not be earlier than first_date",
        ),
        ("2023-07-21", "2026-01-01", "'tariffs' begins on 2026-01-01, and 'opening' before it is"),
        ("2023-06-16", "2027-06-16", "`events.0`: settled_date must not be earlier"),
        ('"tariffs"', '"opening"', "`events`: there are two events with the id 'opening'"),
        ('"tariffs"', '" "', "`events.1.id`: "),
        ("settled_date = 2023-07-21\n", "", "`events.0.settled_date` is missing"),
        ("name =", "nam =", "`events.0.nam` is an unknown key (did you mean `name`?)"),
        ("2023-06-16", '"June"', "`events.0.first_date`: "),
    ],
)
def test_events_that_make_no_sense(tmp_path: Path, right: str, wrong: str, said: str) -> None:
    assert right in EVENTS
    with pytest.raises(SettingsError) as raised:
        city_of(tmp_path, LEAST + EVENTS.replace(right, wrong, 1))
    assert said in str(raised.value)


def test_compiled_code_is_kept_by_its_hash_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QALA_DATA", str(tmp_path))
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/elsewhere")
    keep_compiled_code(load_settings(), "0a1b")
    assert os.environ["NUMBA_CACHE_DIR"] == "/elsewhere"
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    keep_compiled_code(load_settings(), "0a1b")
    assert Path(os.environ["NUMBA_CACHE_DIR"]) == load_settings().data / "compiled" / "0a1b"
    monkeypatch.delenv("NUMBA_CACHE_DIR")


def test_secrets_come_from_connections_before_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QALA_SECRET_BUS", "of the environment\n")
    monkeypatch.setenv("QALA_SECRET_BLANK", " ")
    names = ["bus", "blank", "unknown"]
    assert load_secrets(names, {}) == {"bus": "of the environment"}
    assert load_secrets(names, {"bus": "given", "other": "x"}) == {"bus": "given"}


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ('[departure_window]\nstart = "09:00"\nend = "07:00"', "end must be later than start"),
        ('[schedule]\nhour = "06:00"\ncut_off = "05:00"', "cut_off must not be earlier"),
        ('[schedule]\nhour = "6 o\'clock"', "is no time of day; write it as 'HH:MM'"),
    ],
)
def test_times_that_make_no_sense(tmp_path: Path, part: str, said: str) -> None:
    with pytest.raises(SettingsError, match=r"toy\.toml") as raised:
        city_of(tmp_path, LEAST + part)
    assert said in str(raised.value)


def test_a_missing_city_file_names_those_there_are() -> None:
    with pytest.raises(SettingsError, match=r"almaty\.toml"):
        load_city(ROOT / "cities" / "nowhere.toml")


def test_day_types() -> None:
    almaty = load_city(ROOT / "cities" / "almaty.toml")
    assert almaty.day_type(date(2026, 11, 20)) == "weekday"
    assert almaty.day_type(date(2026, 11, 21)) == "saturday"
    assert almaty.day_type(date(2026, 11, 22)) == "sunday"
    assert almaty.day_type(date(2026, 12, 16)) == "holiday"


def test_reference_days_are_second_tuesdays_that_are_no_holidays() -> None:
    almaty = load_city(ROOT / "cities" / "almaty.toml")
    days = almaty.reference_days(date(2026, 11, 21))
    assert len(days) == 13
    assert days[0] == date(2026, 10, 13)
    assert days[-1] == date(2025, 10, 14)
    assert all(day.weekday() == 1 and 8 <= day.day <= 14 for day in days)
    holiday = almaty.model_copy(
        update={"city": almaty.city.model_copy(update={"holidays": (date(2026, 10, 13),)})}
    )
    assert holiday.reference_days(date(2026, 11, 21))[0] == date(2026, 10, 20)


def test_the_morning_after_is_local(tmp_path: Path) -> None:
    city = city_of(tmp_path, LEAST)
    moment = city.morning_after(date(2024, 2, 29), city.schedule.hour)
    assert moment.isoformat() == "2024-03-01T03:00:00+05:00"  # the night Almaty left UTC+6


def test_data_lies_in_a_folder_of_the_city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QALA_CITY", str(tmp_path / "toy.toml"))
    monkeypatch.setenv("QALA_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("QALA_CATALOG", raising=False)
    settings = load_settings()
    assert settings.data == tmp_path / "data" / "toy"
    assert settings.catalog == str(tmp_path / "data" / "toy" / "lake" / "catalog.sqlite")
