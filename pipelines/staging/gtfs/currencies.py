"""Currencies of ISO 4217 and the number of decimals that their amounts are written with.

Source: ISO 4217 list one (six-group.com/iso-4217), revised 2026; a few withdrawn within the last
ten years, which old feeds still use, are kept. Metals, funds and test codes are left out.
"""

from __future__ import annotations

from types import MappingProxyType

_TWO_DIGITS = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD
CDF CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP
GMD GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD
MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR
PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP
TRY TTD TWD TZS UAH USD USN UYU UZS VED VEF VES WST XAD XCD XCG YER ZAR ZMW ZWG ZWL
"""
_NO_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DIGITS = "CLF UYW"

CURRENCY_DIGITS = MappingProxyType(
    {
        code: digits
        for digits, codes in (
            (2, _TWO_DIGITS),
            (0, _NO_DIGITS),
            (3, _THREE_DIGITS),
            (4, _FOUR_DIGITS),
        )
        for code in codes.split()
    }
)
