"""Register of buses and trolleybuses as an operator's system would export it: UTF-8 CSV.

A row per vehicle that ever was on the register, retired ones included. Headings:

| heading | meaning |
|---|---|
| Гаражный номер | vehicle number, the key |
| Перевозчик | operator |
| Парк | depot |
| Вид топлива | fuel: дизель, газ (CNG), электро, троллейбус |
| Экологический класс | emission standard: Евро-3 to Евро-6; empty for electric, and where unknown |
| Дата выпуска | date of manufacture; empty where unknown |
| Дата ввода | date put into service |
| Дата списания | date of retirement; empty while on the register |
| Статус | на линии (in service) or резерв (reserve); of retired vehicles the last one |
| Сообщение | scope: город or пригород |
| Низкий пол | step-free: да, нет, empty where unknown |
| Модель | model, made up |

What is published holds exactly: vehicles not retired on 2025-12-08, by fuel, in service and with
reserve, and private carriers' gas and electric ones; and the city's 1,560 buses of 2018-08-13
(trolleybuses counted among them, which is ours).
Everything else is ours: which private carrier, depots, scope, years of entry, and every vehicle
retired. The history lets the diesel share fall from year to year; it does not reproduce the clean
shares claimed in 2014, 2018 and 2023, which contradict each other. Nothing happens after
2025-12-08, so the export is the same every night.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.sample.facts import (
    CITY_BUSES,
    CITY_BUSES_DATE,
    FLEET_DATE,
    FLEET_IN_SERVICE,
    FLEET_WITH_RESERVE,
    PRIVATE_IN_SERVICE,
    PRIVATE_WITH_RESERVE,
)
from pipelines.sample.seeds import generator

Integers = npt.NDArray[np.int64]

FUEL_WORDS = {
    "diesel": "дизель",
    "cng": "газ (CNG)",
    "electric": "электро",
    "trolleybus": "троллейбус",
}
MUNICIPAL_OPERATOR = "Городской перевозчик"
PRIVATE_OPERATORS = tuple(f"Частный перевозчик {number}" for number in range(1, 10))
# Ours: the published figures do not say how many diesel buses private carriers hold.
PRIVATE_DIESEL_SHARE = 0.72
# Ours: vehicles not retired in 2025-12, by year of entry; sums are the published totals.
ENTRIES = {
    "cng": {2018: 60, 2019: 120, 2020: 130, 2021: 90, 2022: 130, 2023: 330, 2024: 364, 2025: 270},
    "diesel": {
        2012: 110, 2013: 170, 2014: 190, 2015: 190, 2016: 200, 2017: 190,
        2018: 170, 2019: 150, 2020: 120, 2021: 90, 2022: 70, 2023: 41,
    },
    "electric": {2018: 8, 2021: 20, 2024: 50, 2025: 42},
    "trolleybus": {2009: 46, 2010: 38, 2013: 28, 2024: 60, 2025: 40},
}  # fmt: skip
SUBURBAN_SHARE = {"cng": 0.08, "diesel": 0.30, "electric": 0.0, "trolleybus": 0.0}
# Ours: vehicles retired since: parts by fuel of those on the city's register on 2018-08-13, with
# the years in which they entered and left.
RETIRED_PARTS = {"diesel": 0.42, "cng": 0.47, "trolleybus": 0.11}
RETIRED_ENTRY_YEARS = {"diesel": (2007, 2014), "cng": (2011, 2014), "trolleybus": (1998, 2007)}
RETIREMENT_YEARS = {"diesel": (2018, 2022), "cng": (2020, 2025), "trolleybus": (2019, 2024)}
# Ours: diesel buses that left before that day.
EARLIER_RETIRED, EARLIER_ENTRY_YEARS, EARLIER_RETIREMENT_YEARS = 520, (2002, 2009), (2014, 2017)
# Ours: Euro class by year of manufacture, from each year on.
EMISSION_STANDARDS = {
    "diesel": ((1990, "Евро-3"), (2011, "Евро-4"), (2016, "Евро-5"), (2022, "Евро-6")),
    "cng": ((1990, "Евро-4"), (2014, "Евро-5"), (2023, "Евро-6")),
}
UNKNOWN_STANDARD_SHARE, UNKNOWN_MANUFACTURE_SHARE, UNKNOWN_ACCESS_SHARE = 0.015, 0.008, 0.08
MANUFACTURED_BEFORE_DAYS = (30, 270)
STEP_FREE_SINCE = {"diesel": 2017, "cng": 2012, "electric": 2000, "trolleybus": 2008}


@dataclass(frozen=True)
class Vehicles:
    """A batch of vehicles of one fuel, in columns; days are ordinals, 0 where not retired."""

    fuel: str
    entered: Integers
    retired: Integers
    is_suburban: npt.NDArray[np.bool_]


def _days_in(rng: np.random.Generator, years: Integers) -> Integers:
    """A day in each year, none after the day of the published figures."""
    starts = np.array([date(year, 1, 1).toordinal() for year in years.tolist()], dtype=np.int64)
    latest = np.minimum(starts + 365, FLEET_DATE.toordinal())
    days: Integers = rng.integers(starts, latest)
    return days


def _present(rng: np.random.Generator, fuel: str) -> Vehicles:
    years = np.repeat(list(ENTRIES[fuel]), list(ENTRIES[fuel].values()))
    suburban = rng.random(len(years)) < SUBURBAN_SHARE[fuel]
    return Vehicles(fuel, _days_in(rng, years), np.zeros(len(years), dtype=np.int64), suburban)


def _on_city_register(vehicles: Vehicles, day: date) -> int:
    """City vehicles entered by the day and not retired on it."""
    ordinal = day.toordinal()
    is_on = (vehicles.entered <= ordinal) & ((vehicles.retired == 0) | (vehicles.retired > ordinal))
    return int((is_on & ~vehicles.is_suburban).sum())


def _retired(rng: np.random.Generator, fuel: str, count: int) -> Vehicles:
    """City vehicles on the register on 2018-08-13 that have left since."""
    first, last = RETIRED_ENTRY_YEARS[fuel]
    entered = _days_in(rng, rng.integers(first, last + 1, count))
    first, last = RETIREMENT_YEARS[fuel]
    left = _days_in(rng, rng.integers(first, last + 1, count))
    after = CITY_BUSES_DATE.toordinal() + rng.integers(1, 130, count)
    left = np.maximum(left, after)
    return Vehicles(fuel, entered, left, np.zeros(count, dtype=np.bool_))


def _earlier(rng: np.random.Generator) -> Vehicles:
    entered = _days_in(rng, rng.integers(*EARLIER_ENTRY_YEARS, EARLIER_RETIRED))
    left = _days_in(rng, rng.integers(*EARLIER_RETIREMENT_YEARS, EARLIER_RETIRED))
    return Vehicles("diesel", entered, left, rng.random(EARLIER_RETIRED) < SUBURBAN_SHARE["diesel"])


def _batches(seed: int) -> list[Vehicles]:
    """Every vehicle: those present, and as many retired as make the city's register of 2018."""
    present = [_present(generator(seed, "fleet", fuel), fuel) for fuel in ENTRIES]
    missing = CITY_BUSES - sum(_on_city_register(batch, CITY_BUSES_DATE) for batch in present)
    counts = {fuel: round(part * missing) for fuel, part in RETIRED_PARTS.items()}
    counts["diesel"] += missing - sum(counts.values())
    retired = [
        _retired(generator(seed, "fleet retired", fuel), fuel, count)
        for fuel, count in counts.items()
    ]
    return [*present, *retired, _earlier(generator(seed, "fleet earlier"))]


def _status_and_operator(
    rng: np.random.Generator, vehicles: Vehicles
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Whether each vehicle is in reserve, and whether a private carrier's, in published numbers."""
    count, fuel = len(vehicles.entered), vehicles.fuel
    is_reserve = np.zeros(count, dtype=np.bool_)
    is_private = np.zeros(count, dtype=np.bool_)
    if (vehicles.retired > 0).any():
        is_private = rng.random(count) < (PRIVATE_DIESEL_SHARE if fuel == "diesel" else 0.0)
        return is_reserve, is_private
    order = rng.permutation(count)
    in_service = FLEET_IN_SERVICE[fuel]
    is_reserve[order[in_service:]] = True
    private, private_total = PRIVATE_IN_SERVICE.get(fuel, 0), PRIVATE_WITH_RESERVE.get(fuel, 0)
    if fuel == "diesel":
        private = round(PRIVATE_DIESEL_SHARE * in_service)
        private_total = round(PRIVATE_DIESEL_SHARE * FLEET_WITH_RESERVE[fuel])
    is_private[order[:private]] = True
    is_private[order[in_service : in_service + private_total - private]] = True
    return is_reserve, is_private


def _emission_standard(fuel: str, year: int) -> str | None:
    steps = [name for since, name in EMISSION_STANDARDS.get(fuel, ()) if since <= year]
    return steps[-1] if steps else None


def _rows(rng: np.random.Generator, vehicles: Vehicles) -> pl.DataFrame:
    """The batch as register rows, without numbers."""
    count, fuel = len(vehicles.entered), vehicles.fuel
    is_reserve, is_private = _status_and_operator(rng, vehicles)
    carrier = rng.integers(0, len(PRIVATE_OPERATORS), count)
    depot = rng.integers(1, 4, count)
    made = vehicles.entered - rng.integers(*MANUFACTURED_BEFORE_DAYS, count)
    years = [date.fromordinal(day).year for day in made.tolist()]
    is_known = rng.random((3, count)) >= np.array(
        [[UNKNOWN_STANDARD_SHARE], [UNKNOWN_MANUFACTURE_SHARE], [UNKNOWN_ACCESS_SHARE]]
    )
    standards = [_emission_standard(fuel, year) for year in years]
    step_free = ["да" if year >= STEP_FREE_SINCE[fuel] else "нет" for year in years]
    private_names = [PRIVATE_OPERATORS[number] for number in carrier.tolist()]
    operators = pl.Series(private_names).zip_with(
        pl.Series(is_private), pl.Series([MUNICIPAL_OPERATOR])
    )
    depots = "Троллейбусный парк №{}" if fuel == "trolleybus" else "Автобусный парк №{}"
    retired = pl.Series(vehicles.retired)
    return pl.DataFrame(
        {
            "Перевозчик": operators,
            "Парк": [depots.format(number) for number in depot.tolist()],
            "Вид топлива": [FUEL_WORDS[fuel]] * count,
            "Экологический класс": _where(pl.Series(standards, dtype=pl.String), is_known[0]),
            "Дата выпуска": _where(_dates(pl.Series(made)), is_known[1]),
            "Дата ввода": _dates(pl.Series(vehicles.entered)),
            "Дата списания": _where(_dates(retired), (vehicles.retired > 0)),
            "Статус": np.where(is_reserve, "резерв", "на линии"),
            "Сообщение": np.where(vehicles.is_suburban, "пригород", "город"),
            "Низкий пол": _where(pl.Series(step_free), is_known[2]),
            "Модель": [f"{FUEL_WORDS[fuel]}, тип {year % 4 + 1}" for year in years],
        }
    )


def _dates(ordinals: pl.Series) -> pl.Series:
    """Dates of proleptic ordinals."""
    return (ordinals - date(1970, 1, 1).toordinal()).cast(pl.Int32).cast(pl.Date)


def _where(values: pl.Series, is_known: npt.NDArray[np.bool_]) -> pl.Series:
    return values.set(pl.Series(~is_known), None)


def make_fleet(seed: int) -> bytes:
    """CSV of the register, in order of entry; numbers count from the first vehicle entered."""
    rows = pl.concat(
        [
            _rows(generator(seed, "fleet rows", number), batch)
            for number, batch in enumerate(_batches(seed))
        ]
    ).sort("Дата ввода", maintain_order=True)
    numbers = pl.Series("Гаражный номер", [f"{number:05d}" for number in range(1, len(rows) + 1)])
    return rows.insert_column(0, numbers).write_csv().encode()
