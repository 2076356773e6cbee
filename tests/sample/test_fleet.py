"""The register holds the published composition exactly, from 2025-12-08 on."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

WORDS = {"cng": "газ (CNG)", "diesel": "дизель", "electric": "электро", "trolleybus": "троллейбус"}


def not_retired(register: pl.DataFrame, day: date) -> pl.DataFrame:
    left = pl.col("Дата списания")
    return register.filter(pl.col("Дата ввода") <= day, left.is_null() | (left > day))


def by_fuel(vehicles: pl.DataFrame) -> dict[str, int]:
    return dict(vehicles["Вид топлива"].value_counts().iter_rows())


@pytest.mark.parametrize("day", [date(2025, 12, 8), date(2026, 11, 20), date(2030, 1, 1)])
def test_composition_is_published_one(register: pl.DataFrame, day: date) -> None:
    present = not_retired(register, day)
    in_service = present.filter(pl.col("Статус") == "на линии")
    assert len(in_service) == 2_939
    assert by_fuel(in_service) == {
        WORDS["cng"]: 1_301,
        WORDS["diesel"]: 1_392,
        WORDS["electric"]: 92,
        WORDS["trolleybus"]: 154,
    }
    assert len(present) == 3_517
    assert by_fuel(present) == {
        WORDS["cng"]: 1_494,
        WORDS["diesel"]: 1_691,
        WORDS["electric"]: 120,
        WORDS["trolleybus"]: 212,
    }


def test_private_carriers_hold_the_published_numbers(register: pl.DataFrame) -> None:
    private = not_retired(register, date(2025, 12, 8)).filter(
        pl.col("Перевозчик").str.starts_with("Частный")
    )
    in_service = by_fuel(private.filter(pl.col("Статус") == "на линии"))
    assert (in_service[WORDS["cng"]], in_service[WORDS["electric"]]) == (418, 67)
    with_reserve = by_fuel(private)
    assert (with_reserve[WORDS["cng"]], with_reserve[WORDS["electric"]]) == (501, 75)
    assert WORDS["trolleybus"] not in with_reserve


def test_city_register_of_2018(register: pl.DataFrame) -> None:
    city = not_retired(register, date(2018, 8, 13)).filter(pl.col("Сообщение") == "город")
    assert len(city) == 1_560


def test_diesel_share_falls_every_year(register: pl.DataFrame) -> None:
    shares = []
    for year in range(2017, 2026):
        present = not_retired(register, date(year, 12, 31))
        shares.append(by_fuel(present)[WORDS["diesel"]] / len(present))
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.7
    assert shares[-1] == pytest.approx(1_691 / 3_517)


def test_nothing_happens_after_the_published_day(register: pl.DataFrame) -> None:
    assert register["Дата ввода"].max() <= date(2025, 12, 8)  # type: ignore[operator]
    assert register["Дата списания"].max() <= date(2025, 12, 8)  # type: ignore[operator]
    assert register["Дата ввода"].null_count() == 0


def test_dates_are_in_order(register: pl.DataFrame) -> None:
    assert register.filter(pl.col("Дата выпуска") >= pl.col("Дата ввода")).is_empty()
    assert register.filter(pl.col("Дата списания") <= pl.col("Дата ввода")).is_empty()
    assert register["Гаражный номер"].n_unique() == len(register)


def test_gaps_are_those_of_real_registers(register: pl.DataFrame) -> None:
    burning = register.filter(pl.col("Вид топлива").is_in([WORDS["cng"], WORDS["diesel"]]))
    assert 10 < burning["Экологический класс"].null_count() < 150
    assert set(burning["Экологический класс"].drop_nulls()) == {f"Евро-{k}" for k in range(3, 7)}
    electric = register.filter(
        pl.col("Вид топлива").is_in([WORDS["electric"], WORDS["trolleybus"]])
    )
    assert electric["Экологический класс"].null_count() == len(electric)
    assert 5 < register["Дата выпуска"].null_count() < 100
    assert set(register["Низкий пол"]) == {"да", "нет", None}
