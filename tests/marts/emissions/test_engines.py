"""Emission factors: printed values at 18 km/h, the guidebook's tables, what a class may mean."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipelines.marts.emissions.classes import BEFORE, NO_TAILPIPE, UNKNOWN, emission_class, kind_of
from pipelines.marts.emissions.engines import ENGINES, POLLUTANTS, Curve, Engine

AT_18 = np.array([18.0])
DIESEL_V, DIESEL_VI = ENGINES["diesel", "Euro V SCR"], ENGINES["diesel", "Euro VI"]
GAS_EEV = ENGINES["cng", "EEV"]
CSV_CLASS = {
    **{number: f"Euro {number}" for number in ("I", "II", "III", "IV", "VI")},
    "Conventional": BEFORE,
    "EEV": "EEV",
}


def one(curve: Curve, speed: float = 18.0) -> float:
    return float(curve.at(np.array([speed]))[0])


@pytest.mark.parametrize(
    ("engine", "nox", "energy"),
    [
        (DIESEL_V, 9.55296, 14.18651),
        (DIESEL_VI, 0.59661, 14.64202),
        (GAS_EEV, 4.34234, 21.05786),
    ],
)
def test_a_standard_bus_at_18_kmh(engine: Engine, nox: float, energy: float) -> None:
    assert round(one(engine.nox), 5) == nox
    assert round(one(engine.energy), 5) == energy


def test_co2e_is_computed_from_energy_with_methane_and_nitrous_oxide() -> None:
    diesel = DIESEL_VI.grams_per_km("CO2e", AT_18, "diesel")[0]
    gas = GAS_EEV.grams_per_km("CO2e", AT_18, "cng")[0]
    assert (round(diesel), round(gas)) == (1096, 1211)
    assert diesel == pytest.approx(14.64202 * 74.1 + 0.00525 * 29.8 + 0.0415 * 273, abs=1e-3)


def test_speeds_beyond_a_curve_count_as_its_ends() -> None:
    assert one(DIESEL_V.nox, 2) == one(DIESEL_V.nox, 5)
    assert one(DIESEL_V.nox, 120) == one(DIESEL_V.nox, 85)
    assert one(GAS_EEV.nox, 2) == one(GAS_EEV.nox, 11)


def test_euro_v_above_euro_iv_at_low_speed_is_as_in_the_guidebook() -> None:
    assert one(DIESEL_V.nox) > one(ENGINES["diesel", "Euro IV"].nox)


def test_no_factor_is_negative_at_any_speed() -> None:
    speeds = np.linspace(0.5, 150, 3_000)
    for (fuel, _), engine in ENGINES.items():
        for pollutant in POLLUTANTS:
            assert engine.grams_per_km(pollutant, speeds, fuel).min() > 0


def csv_key(row: dict[str, str], technology: str) -> tuple[str, str]:
    fuel = "diesel" if (row.get("Fuel") or row["fuel"]) == "D" else "cng"
    euro = row.get("Euro") or row["euro"]
    return fuel, f"Euro V {technology}" if euro == "V" else CSV_CLASS[euro]


def test_the_values_by_speed_are_those_of_the_table(shared_data: Path) -> None:
    seen = set()
    with (shared_data / "methods" / "emep_2019_urban_bus_std_ef_by_speed.csv").open() as table:
        for row in csv.DictReader(table):
            engine = ENGINES[csv_key(row, row["tech"])]
            curves = {"NOx": engine.nox, "PM10": engine.pm10, "FC": engine.energy}
            for speed in (15, 18, 20, 30):
                told = float(row[f"ef_{speed}kmh"])
                if row["pollutant"] in curves:
                    assert round(one(curves[row["pollutant"]], speed), 6) == told, row
                elif row["pollutant"] in ("CH4", "N2O"):
                    ours = {"CH4": engine.ch4_g_per_km, "N2O": engine.n2o_g_per_km}
                    assert round(ours[row["pollutant"]], 6) == told, row
            seen.add(csv_key(row, row["tech"]))
    assert seen == set(ENGINES)


def test_the_curves_hold_where_the_guidebook_s_do(shared_data: Path) -> None:
    with (shared_data / "methods" / "emep_2019_urban_bus_ef_params.csv").open() as table:
        for row in csv.DictReader(table):
            if row["Segment"] == "Ubus Std 15 - 18 t" and row["Pol"] in ("NOx", "PM10", "FC"):
                engine = ENGINES[csv_key(row, row["Technology"])]
                curve = {"NOx": engine.nox, "PM10": engine.pm10, "FC": engine.energy}[row["Pol"]]
                assert (curve.v_min, curve.v_max) == (float(row["Vmin"]), float(row["Vmax"]))
                assert float(row["RF"]) == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Euro V", "Euro V"),
        ("EURO-5", "Euro V"),
        ("Евро 6", "Euro VI"),  # Russian
        ("euro 5 EGR", "Euro V EGR"),
        ("Euro VI D", "Euro VI"),
        ("EURO5b", "Euro V"),
        ("Euro III", "Euro III"),
        ("Euro 0", BEFORE),
        ("EEV", "EEV"),
        ("EPA 2010", UNKNOWN),
        ("", UNKNOWN),
        (None, UNKNOWN),
    ],
)
def test_words_for_a_class(words: str | None, expected: str) -> None:
    told = pl.select(emission_class(pl.lit(words, pl.String), pl.lit("diesel"))).item()
    assert told == expected
    electric = pl.select(emission_class(pl.lit(words, pl.String), pl.lit("trolleybus"))).item()
    assert electric == NO_TAILPIPE


def test_a_choice_of_engines_is_a_range() -> None:
    low, high = kind_of("diesel", "Euro V").bounds("NOx", AT_18)
    assert (round(low[0], 5), round(high[0], 5)) == (6.34181, 9.55296)
    low, high = kind_of("diesel", UNKNOWN).bounds("NOx", AT_18)
    assert (round(low[0], 5), round(high[0], 5)) == (0.59661, 19.41832)
    low, high = kind_of("cng", "Euro VI").bounds("NOx", AT_18)
    assert (round(low[0], 5), round(high[0], 5)) == (0.59661, 4.34234)
    low, high = kind_of("cng", "Euro VI").bounds("CO2e", AT_18)
    assert low[0] == pytest.approx(14.64202 * 56.1 + 0.00525 * 29.8 + 0.0415 * 273, abs=1e-3)
    assert round(high[0]) == 1211
    low, high = kind_of("hybrid", "Euro VI").bounds("NOx", AT_18)
    assert (low[0], round(high[0], 5)) == (0.0, 0.59661)
    low, high = kind_of("unknown", UNKNOWN).bounds("PM10", AT_18)
    assert (low[0], round(high[0], 5)) == (0.0, 1.02673)


def test_one_engine_is_one_number() -> None:
    for fuel, standard in (("diesel", "Euro VI"), ("cng", "EEV"), ("electric", NO_TAILPIPE)):
        for pollutant in POLLUTANTS:
            low, high = kind_of(fuel, standard).bounds(pollutant, AT_18)
            assert low[0] == high[0]
    assert kind_of("hydrogen", NO_TAILPIPE).bounds("NOx", AT_18)[1][0] == 0


def test_gas_of_eev_beats_diesel_up_to_euro_v_and_no_further() -> None:
    def at(fuel: str, standard: str, pollutant: str) -> float:
        engine = ENGINES[fuel, standard]
        return float(engine.grams_per_km(pollutant, AT_18, fuel)[0])  # type: ignore[arg-type]

    for standard in ("Euro I", "Euro II", "Euro III", "Euro IV", "Euro V SCR", "Euro V EGR"):
        for pollutant in ("NOx", "PM10"):
            assert at("cng", "EEV", pollutant) < at("diesel", standard, pollutant)
    for pollutant in ("NOx", "PM10", "CO2e"):
        assert at("cng", "EEV", pollutant) > at("diesel", "Euro VI", pollutant)
    assert at("cng", "EEV", "CO2e") > at("diesel", "Euro V SCR", "CO2e")
