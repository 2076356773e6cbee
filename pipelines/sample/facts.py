"""Published facts of Almaty that the sample stands on, each with its source and its date.

What is not here was not found, and the modules that need it say "ours" beside their assumption.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class MetroStation:
    """A station of line 1, in order from Raiymbek batyr; run time to the next one."""

    code: str
    name_en: str
    name_kk: str
    name_ru: str
    latitude: float
    longitude: float
    run_seconds: int | None


# Source: metro operator's station list and timetable (api.metroalmaty.kz), read 2026-08-22.
METRO_STATIONS = (
    MetroStation(
        "RMBK", "Raiymbek batyr", "Райымбек батыр", "Райымбек батыра", 43.27111, 76.94466, 140
    ),
    MetroStation("ZZ", "Zhibek Joly", "Жібек жолы", "Жибек жолы", 43.2605, 76.94603, 130),
    MetroStation("ALM", "Almaly", "Алмалы", "Алмалы", 43.25204, 76.94709, 150),
    MetroStation("ABA", "Abay", "Абай", "Абая", 43.24255, 76.94845, 190),
    MetroStation("BKNR", "Baikonur", "Байқоңыр", "Байконыр", 43.24124, 76.92882, 140),
    MetroStation(
        "TEATR",
        "Auezov Theater",
        "М. Әуезов атындағы театр",  # noqa: RUF001 - Kazakh is written so
        "Театр имени М. Ауэзова",  # noqa: RUF001 - Russian is written so
        43.24026,
        76.91702,
        170,
    ),
    MetroStation("ALA", "Alatau", "Алатау", "Алатау", 43.23845, 76.89755, 160),
    MetroStation("SRN", "Sayran", "Сайран", "Сайран", 43.23662, 76.87688, 160),
    MetroStation("MSK", "Moskva", "Мәскеу", "Москва", 43.23049, 76.8673, 150),
    MetroStation("SA", "Saryarqa", "Сарыарқа", "Сарыарка", 43.22371, 76.85822, 200),
    MetroStation("BM", "Bauyrjan Momyshuly", "Б. Момышұлы", "Б. Момышулы", 43.2164, 76.83784, None),
)
# Headways from a time of day on (seconds after midnight); several headways take turns.
# Source: as above. First and last departure from each end, in the same order of directions.
METRO_WEEKDAY_HEADWAYS = (
    (0, (372,)),
    (7 * 3600 + 36 * 60, (338,)),
    (8 * 3600 + 50 * 60, (620,)),
    (17 * 3600 + 1 * 60, (338,)),
    (19 * 3600 + 50 * 60, (620,)),
)
METRO_WEEKEND_HEADWAYS = (
    (0, (900, 960)),
    (9 * 3600 + 27 * 60, (745,)),
    (19 * 3600 + 30 * 60, (930,)),
)
METRO_FIRST_DEPARTURES = {
    "weekday": (6 * 3600 + 22 * 60 + 30, 6 * 3600 + 22 * 60 + 30),
    "weekend": (6 * 3600 + 21 * 60 + 15, 6 * 3600 + 37 * 60 + 15),
}
METRO_LAST_DEPARTURES = {
    "weekday": (24 * 3600 + 120, 24 * 3600 + 90),
    "weekend": (24 * 3600 + 120, 24 * 3600 + 120),
}


@dataclass(frozen=True)
class RailStation:
    """A station of the suburban railway to Konaev, in order from Almaty-1."""

    code: str
    name_en: str
    name_kk: str
    name_ru: str
    latitude: float
    longitude: float


# One pair of trains a day but Sunday since its first day; stations and order, and the times of
# departure and arrival of the pair. Sources: Ministry of Industry and Infrastructure Development
# (nur.kz/society/1996276) and qazaqstan.tv/news/166734, November 2022. A timetable in force now and
# times at the stations between: not found. Positions are ours, drawn roughly, to a kilometre or so.
RAIL_STATIONS = (
    RailStation("ALM1", "Almaty-1", "Алматы-1", "Алматы-1", 43.342, 76.950),
    RailStation("MEDEU", "Medeu", "Медеу", "Медеу", 43.356, 76.985),
    RailStation("ZHETYSU", "Zhetysu", "Жетісу", "Жетысу", 43.385, 77.030),
    RailStation("BAISERKE", "Baiserke", "Байсерке", "Байсерке", 43.475, 77.035),
    RailStation("KAIRAT", "Kairat", "Қайрат", "Кайрат", 43.560, 77.060),
    RailStation("ZHETIGEN", "Zhetigen", "Жетіген", "Жетыген", 43.690, 77.100),
    RailStation("KAPSHAGAI", "Kapshagai", "Қапшағай", "Капшагай", 43.865, 77.075),
)
RAIL_OPENED_DATE = date(2022, 11, 11)
RAIL_FROM_ALMATY = (6 * 3600 + 44 * 60, 8 * 3600 + 35 * 60)
RAIL_TO_ALMATY = (19 * 3600 + 15 * 60, 20 * 3600 + 50 * 60)

# Source: as in 2026 and 2027 in the metro operator's list of holidays; taken to hold every year.
FIXED_HOLIDAYS = frozenset(
    {
        (1, 1),
        (1, 2),
        (1, 7),
        (3, 8),
        (3, 21),
        (3, 22),
        (3, 23),
        (5, 1),
        (5, 7),
        (5, 9),
        (7, 6),
        (8, 30),
        (10, 25),
        (12, 16),
    }
)
# First day of Kurban Ait, and days off moved by the government in 2026.
# Source of 2026 and 2027: the metro operator's list of holidays, after egov.kz and informburo.kz.
# Kurban Ait of 2022 to 2025 is general knowledge without a source at hand; moved days of other
# years: not found.
HOLIDAYS_BY_DATE = frozenset(
    {
        date(2022, 7, 9),
        date(2023, 6, 28),
        date(2024, 6, 16),
        date(2025, 6, 6),
        date(2026, 5, 27),
        date(2027, 5, 16),
        date(2026, 3, 9),
        date(2026, 3, 24),
        date(2026, 3, 25),
        date(2026, 5, 11),
        date(2026, 8, 31),
        date(2026, 10, 26),
    }
)

# Vehicles on city and suburban routes: in service, and with reserve. Source: vlast.kz/novosti/67517
FLEET_DATE = date(2025, 12, 8)
FLEET_IN_SERVICE = {"cng": 1301, "diesel": 1392, "electric": 92, "trolleybus": 154}
FLEET_WITH_RESERVE = {"cng": 1494, "diesel": 1691, "electric": 120, "trolleybus": 212}
# Private carriers' part of both. Source: as above; their diesel buses: not found.
PRIVATE_IN_SERVICE = {"cng": 418, "electric": 67}
PRIVATE_WITH_RESERVE = {"cng": 501, "electric": 75}
# Buses of the city. Source: almaty.gov.kz, news 15426.
CITY_BUSES_DATE = date(2018, 8, 13)
CITY_BUSES = 1560

# Big Almaty Ring Road. Sources: infosak-kz.com/razdely/item/42939 and rus.baq.kz 2025-12-09.
RING_OPENED_DATE = date(2023, 6, 16)
RING_LENGTH_KM = 66.0
RING_DAILY_VEHICLES_AT_OPENING = 47_000
RING_DAILY_VEHICLES_LATER = 75_000  # undated, after 2023
RING_DAILY_VEHICLES_2025_12 = 84_000
# Daily vehicles before (2023-06-01/15) and after (2023-07-16/31). Source: qaznews.ru 2025-06-17.
KULDZHINSKY_BEFORE, KULDZHINSKY_AFTER = 74_000, 48_000
TASHKENTSKY_BEFORE, TASHKENTSKY_AFTER = 172_000, 116_000

# Official population of the city on 2026-02-01. Source: Bureau of National Statistics.
CITY_POPULATION = 2_351_424


@dataclass(frozen=True)
class District:
    """A district with its names and its official population; `is_exact` or a lower bound."""

    district_id: str
    name_en: str
    name_kk: str
    name_ru: str
    official_population: int
    is_exact: bool
    annexed_date: date | None = None


# Land of three districts around became the city's by a decree of the President published on
# 2014-04-17 (kt.kz 2014-04-17; tengrinews.kz, 253847): 23,200 ha, 16,070 of Karasai district, from
# which Nauryzbay district was made on 2014-07-02. Which parts of other districts it is: not found.
ANNEXED_DATE = date(2014, 4, 17)
# Source: gov.kz pages of the districts (almaty-<district>), figures as published there.
DISTRICTS = (
    District("alatau", "Alatau", "Алатау ауданы", "Алатауский район", 317_700, is_exact=True),
    District("almaly", "Almaly", "Алмалы ауданы", "Алмалинский район", 224_600, is_exact=True),
    District("auezov", "Auezov", "Әуезов ауданы", "Ауэзовский район", 358_000, is_exact=False),
    District(
        "bostandyk", "Bostandyk", "Бостандық ауданы", "Бостандыкский район", 362_200, is_exact=True
    ),
    District("medeu", "Medeu", "Медеу ауданы", "Медеуский район", 242_100, is_exact=True),
    District(
        "nauryzbay",
        "Nauryzbay",
        "Наурызбай ауданы",
        "Наурызбайский район",
        220_187,
        is_exact=True,
        annexed_date=ANNEXED_DATE,
    ),
    District("turksib", "Turksib", "Түрксіб ауданы", "Турксибский район", 267_000, is_exact=False),
    District("zhetysu", "Zhetysu", "Жетісу ауданы", "Жетысуский район", 173_972, is_exact=True),
)
