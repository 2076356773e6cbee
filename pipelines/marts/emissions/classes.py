"""Which engines a register's fuel and emission standard may stand for, and what they emit.

A vehicle whose fuel, class or technology leaves a choice emits between the least and the most of
the engines it may have: a range, not a guess.

| fuel, class | engines |
|---|---|
| diesel Euro I to IV and VI, before Euro I; gas Euro I to III, EEV | that one |
| diesel Euro V without its technology | with SCR, with EGR |
| diesel EEV | Euro V with SCR or EGR, Euro VI |
| gas Euro IV, V | gas Euro III, gas EEV |
| gas Euro VI (the guidebook has none) | gas EEV; diesel Euro VI's rates, burning gas |
| class unknown | all of the fuel |
| hybrid | from nothing to the most of a diesel of its class |
| other and unknown fuels | from nothing to the most of any engine |
| electric, trolleybus, hydrogen | nothing from a tailpipe |
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipelines.marts.emissions.engines import ENGINES, Engine, Floats, Pollutant

UNKNOWN = "unknown"
NO_TAILPIPE = "no tailpipe"
BEFORE = "before Euro I"
ZERO_TAILPIPE_FUELS = ("electric", "trolleybus", "hydrogen")

_ROMAN = {"0": BEFORE, **dict(zip("123456", ("I", "II", "III", "IV", "V", "VI"), strict=True))}
_EURO = r"EURO[\s\-_]*(VI|IV|V|III|II|I|[0-6])(?:[^0-9IVX]|$)"
_RUSSIAN = "ЕВРО"  # noqa: RUF001  # Euro


@dataclass(frozen=True)
class Kind:
    """The engines that a fuel and class may stand for; `may_be_none`: or nothing at all."""

    engines: tuple[tuple[Engine, str], ...]  # each with the fuel that it burns
    may_be_none: bool = False

    def bounds(self, pollutant: Pollutant, speed_kmh: Floats) -> tuple[Floats, Floats]:
        """Least and most grams per km at each speed."""
        nothing = np.zeros_like(speed_kmh)
        if not self.engines:
            return nothing, nothing
        factors = [e.grams_per_km(pollutant, speed_kmh, burnt) for e, burnt in self.engines]
        least: Floats = nothing if self.may_be_none else np.minimum.reduce(factors)
        most: Floats = np.maximum.reduce(factors)
        return least, most


def emission_class(standard: pl.Expr, fuel_type: pl.Expr) -> pl.Expr:
    """The class that a register's words mean, e.g. ``Euro V SCR``; `unknown` where none is told."""
    text = standard.str.to_uppercase().str.replace(_RUSSIAN, "EURO", literal=True)
    number = text.str.extract(_EURO)
    roman = pl.coalesce(number.replace_strict(_ROMAN, default=None), number)
    technology = text.str.extract(r"\b(SCR|EGR)\b")
    five = pl.when(technology.is_not_null()).then(pl.lit("Euro V ") + technology)
    euro = (
        pl.when(roman == "V")
        .then(pl.coalesce(five, pl.lit("Euro V")))
        .when(roman == BEFORE)
        .then(roman)
        .otherwise(pl.lit("Euro ") + roman)
    )
    is_eev = text.str.contains(r"\bEEV\b")
    told = pl.when(is_eev).then(pl.lit("EEV")).otherwise(euro).fill_null(UNKNOWN)
    return pl.when(fuel_type.is_in(ZERO_TAILPIPE_FUELS)).then(pl.lit(NO_TAILPIPE)).otherwise(told)


def kind_of(fuel_type: str, emission_class: str) -> Kind:
    """What vehicles of a fuel and class (in the words of `emission_class`) may have for engines."""
    if fuel_type in ZERO_TAILPIPE_FUELS:
        return Kind(())
    if fuel_type == "diesel":
        return Kind(_diesel(emission_class))
    if fuel_type == "cng":
        return Kind(_gas(emission_class))
    if fuel_type == "hybrid":
        return Kind(_diesel(emission_class), may_be_none=True)
    return Kind((*_diesel(UNKNOWN), *_gas(UNKNOWN)), may_be_none=True)


def _diesel(emission_class: str) -> tuple[tuple[Engine, str], ...]:
    fives = ("Euro V SCR", "Euro V EGR")
    names = {"Euro V": fives, "EEV": (*fives, "Euro VI")}.get(emission_class, (emission_class,))
    every = tuple(engine for (fuel, _), engine in ENGINES.items() if fuel == "diesel")
    named = tuple(ENGINES[key] for name in names if (key := ("diesel", name)) in ENGINES)
    return tuple((engine, "diesel") for engine in named or every)


def _gas(emission_class: str) -> tuple[tuple[Engine, str], ...]:
    third, eev = ENGINES["cng", "Euro III"], ENGINES["cng", "EEV"]
    sixth = (ENGINES["diesel", "Euro VI"], eev)
    every = tuple(engine for (fuel, _), engine in ENGINES.items() if fuel == "cng")
    between = {"Euro IV": (third, eev), "Euro VI": sixth}
    between |= dict.fromkeys(("Euro V", "Euro V SCR", "Euro V EGR"), (third, eev))
    single = ENGINES.get(("cng", emission_class))
    engines = (single,) if single else between.get(emission_class, (*every, sixth[0]))
    return tuple((engine, "cng") for engine in engines)
