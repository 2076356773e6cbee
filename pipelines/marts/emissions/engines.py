"""Exhaust of standard urban buses (15 to 18 t) by speed: EMEP/EEA guidebook 2019, tier 3.

    EF(v) = (a v^2 + b v + c + d / v) / (e v^2 + f v + g) x (1 - RF)

in g/km, or MJ/km for energy, with v in km/h held within the range that the curve was fitted for.
RF is zero for these buses. Euro IV is the same with SCR and with EGR; Euro V is not, and its NOx
above that of Euro IV at low speed is no slip: SCR is cold in slow traffic.

CO2 is computed from energy, since the guidebook's "CO2" of gas buses isn't one per km. CO2e adds
methane and nitrous oxide. PM10 is from the exhaust alone: brakes, tyres and roads are left out, as
are articulated and small buses, cold starts, slopes and loads.

Source of parameters: EMEP/EEA air pollutant emission inventory guidebook 2019, 1.A.3.b.i-iv,
appendix 4 (hot emission factors), urban buses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Pollutant = Literal["NOx", "PM10", "CO2e"]
POLLUTANTS: tuple[Pollutant, ...] = ("NOx", "PM10", "CO2e")

# g CO2 per MJ of fuel burnt: IPCC 2006, volume 2, table 3.2.1 (diesel oil, natural gas).
CO2_G_PER_MJ = MappingProxyType({"diesel": 74.1, "cng": 56.1})
# Global warming potential over 100 years: IPCC AR6, table 7.15 (methane from fossil sources).
CH4_GWP, N2O_GWP = 29.8, 273.0

_CURVES = """\
fuel,class,of,v_min,v_max,a,b,c,d,e,f,g
diesel,before Euro I,NOx,11,86,-0.00038065931026117,0.0635261513520019,5.76059020490808,17.7782040155046,-6.80178644237181e-05,0.0135945684365621,0.177391135031316
diesel,before Euro I,PM10,11,86,4.25274826603709e-06,0.00188938601970507,0.488378316205121,3.16308936317888,-4.39836392050613e-05,0.0283980358397004,0.184370506018693
diesel,before Euro I,MJ,11,86,-0.000211581529063837,0.0269781797629885,2.52686920445182,5.32559031545424,-4.47262976705146e-05,0.00750920610451388,0.0451941094642361
diesel,Euro I,NOx,11,86,0.00204764855616657,0.520675761907294,3.51293072156612,-32.7300900799171,0.000807873517542598,0.0583792740097243,-0.33773418070682
diesel,Euro I,PM10,11,86,0.00054623434303941,-0.0100947610770257,1.55050653202624,1.83664463745264,0.00215546731591781,0.0511546546228944,1.53598784038669
diesel,Euro I,MJ,11,86,-9.69247948896325e-05,0.0285033921486055,2.59488151004893,9.20471392321822,-3.04306920399323e-05,0.00785900076582361,0.0895249413877887
diesel,Euro II,NOx,11,86,0.00412402434651283,0.530618573879136,12.5540275765813,18.0130664324151,0.00106836919811916,0.0682479516111295,0.27296756282642
diesel,Euro II,PM10,11,86,1.86821137266366e-05,0.00650439682870461,0.563592329320611,2.81835485261303,-0.000451049200579574,0.133144751468373,1.26448085671401
diesel,Euro II,MJ,11,86,-0.000210893799545693,0.0309629204113653,2.22901448191258,4.49443122020401,-4.65895127733592e-05,0.00806060580238086,0.0612942559589402
diesel,Euro III,NOx,11,86,0.000962853827383582,0.43283442172761,7.09802501183916,2.96198426932413,0.000927291647143319,0.0590819238383194,-0.109147145287551
diesel,Euro III,PM10,11,86,-9.49544098476157e-06,0.00640497538366598,0.740307998518696,3.42256439460857,-0.000527747624495991,0.163394606462353,1.53809792008495
diesel,Euro III,MJ,11,86,-0.000240994412232972,0.0338229795225614,2.44327779207519,4.65941312172263,-5.04965028853241e-05,0.00852073434119492,0.061276675893548
diesel,Euro IV,NOx,11,86,5.62810387454345e-05,0.039286305754102,1.96671452388567,9.88657960075961,7.77974796392815e-05,0.012505766046485,0.20147566016008
diesel,Euro IV,PM10,11,86,1.20775820717059e-15,1.65813412025685e-14,0.895448931282914,2.37628806159087e-11,-0.00297923000651941,0.573992238313472,5.95453980806337
diesel,Euro IV,MJ,11,86,0.0023623927278234,-0.0144788518494557,-0.427170645167993,7.15496310200787,0.000327568250882569,-0.00777932579733725,0.0660570813937103
diesel,Euro V SCR,NOx,5,85,0.000353348102039702,-0.0561829022680765,2.65091227404064,7.87360468889005,-6.23807914060858e-05,0.0065929959703913,0.13094553823857
diesel,Euro V SCR,PM10,10,85,0.00596889982872827,0.325457602025553,-0.963548706878983,1.23749170668964,0.335407084053146,-0.640487161223821,1.4710919852504
diesel,Euro V SCR,MJ,5,85,-0.000234263438032306,-0.010102311471057,3.44647787320417,4.53931683520842,-8.27687128466504e-05,0.00655835406931008,0.151315345197098
diesel,Euro V EGR,NOx,5,85,0.0171829800402985,1.1695087723555,-3.61755585987218,4.22989470325217,0.0129341179092701,-0.0314837667797633,0.039974730023751
diesel,Euro V EGR,PM10,10,85,7.97507883482822e-05,-0.0106226515569771,0.429472115172454,-0.155401285564062,0.000205879404798589,-0.0591666488375929,5.26960891947881
diesel,Euro V EGR,MJ,5,85,-0.000380494957095492,-0.0101251766822737,5.43112407134525,4.02476515648555,-0.000126099466081971,0.0107082645237585,0.210177827006861
diesel,Euro VI,NOx,5,85,-0.000578230359829594,0.0852369783371723,-1.22508586507569,5.92250855592671,0.00411530569428363,-0.040690214275321,0.154767302599627
diesel,Euro VI,PM10,10,85,7.71995488807488e-06,-0.000391047639434465,-0.00656661942896133,0.573223654831619,0.00327420443890902,-0.270774684952744,6.74939227737752
diesel,Euro VI,MJ,5,85,-0.000313881923547988,-0.0145484315009182,5.33927720306299,4.32988739703353,-0.000119639044053958,0.0102176505703206,0.211097947587396
cng,Euro I,NOx,6,75,0,0,16.5,0,0,0,1
cng,Euro I,PM10,6,75,0,0,0.02,0,0,0,1
cng,Euro I,MJ,6,75,0,0,555,0,0,0,20.8333333333333
cng,Euro II,NOx,6,75,0,0,15,0,0,0,1
cng,Euro II,PM10,6,75,0,0,0.01,0,0,0,1
cng,Euro II,MJ,6,75,0,0,515,0,0,0,20.8333333333333
cng,Euro III,NOx,6,75,0,0,10,0,0,0,1
cng,Euro III,PM10,6,75,0,0,0.01,0,0,0,1
cng,Euro III,MJ,6,75,0,0,455,0,0,0,20.8333333333333
cng,EEV,NOx,11,86,0.00335581295550362,1.01967944213972,1.53109837593671,-59.7733124681003,0.00594115413805745,0.222318774051069,-1.86161421670294
cng,EEV,PM10,11,86,2.99508607917677e-05,0.00432140568014104,1.04889571499637,4.09826315848808,-0.011483064903324,3.52203270045111,54.1727457325872
cng,EEV,MJ,11,86,-0.000186970637762985,0.0687149794113224,5.7022140873118,19.4144566985669,-4.883540497789e-05,0.0133456134788077,0.153469463592991
"""  # noqa: E501  # one curve a line, as in the guidebook's table
# g/km of methane and nitrous oxide, whatever the speed.
_GASES = """\
diesel,before Euro I,0.175,0.03
diesel,Euro I,0.175,0.012
diesel,Euro II,0.11375,0.012
diesel,Euro III,0.10325,0.006
diesel,Euro IV,0.00525,0.0128
diesel,Euro V SCR,0.00525,0.0332
diesel,Euro V EGR,0.00525,0.0332
diesel,Euro VI,0.00525,0.0415
cng,Euro I,6.8,0
cng,Euro II,4.5,0
cng,Euro III,1.28,0
cng,EEV,0.98,0
"""


@dataclass(frozen=True)
class Curve:
    """A factor by speed, for speeds between `v_min` and `v_max` in km/h."""

    v_min: float
    v_max: float
    numerator: tuple[float, float, float, float]  # of v^2, v, 1 and 1 / v
    denominator: tuple[float, float, float]  # of v^2, v and 1

    def at(self, speed_kmh: Floats) -> Floats:
        """The factor at each speed; a speed outside the range counts as the nearest inside."""
        v = np.clip(speed_kmh, self.v_min, self.v_max)
        a, b, c, d = self.numerator
        e, f, g = self.denominator
        factor: Floats = (a * v**2 + b * v + c + d / v) / (e * v**2 + f * v + g)
        return factor


@dataclass(frozen=True)
class Engine:
    """What a kind of bus emits per km: two curves, its energy, methane and nitrous oxide."""

    nox: Curve
    pm10: Curve
    energy: Curve
    ch4_g_per_km: float
    n2o_g_per_km: float

    def grams_per_km(self, pollutant: Pollutant, speed_kmh: Floats, burnt: str) -> Floats:
        """Factor of a pollutant at each speed; `burnt` is the fuel whose carbon becomes CO2."""
        if pollutant == "NOx":
            return self.nox.at(speed_kmh)
        if pollutant == "PM10":
            return self.pm10.at(speed_kmh)
        others = CH4_GWP * self.ch4_g_per_km + N2O_GWP * self.n2o_g_per_km
        total: Floats = CO2_G_PER_MJ[burnt] * self.energy.at(speed_kmh) + others
        return total


def _curve(numbers: list[str]) -> Curve:
    v_min, v_max, a, b, c, d, e, f, g = map(float, numbers)
    return Curve(v_min, v_max, (a, b, c, d), (e, f, g))


def _engines() -> dict[tuple[str, str], Engine]:
    curves = {}
    for line in _CURVES.splitlines()[1:]:
        fuel, standard, factor, *numbers = line.split(",")
        curves[fuel, standard, factor] = _curve(numbers)
    engines = {}
    for line in _GASES.splitlines():
        fuel, standard, ch4, n2o = line.split(",")
        nox, pm10, energy = (curves[fuel, standard, of] for of in ("NOx", "PM10", "MJ"))
        engines[fuel, standard] = Engine(nox, pm10, energy, float(ch4), float(n2o))
    return engines


# (fuel, class) -> engine, for each kind of bus that the guidebook has a factor for.
ENGINES: Mapping[tuple[str, str], Engine] = MappingProxyType(_engines())
