"""The sample city: an Almaty of real size, made from facts and a seed, as upstream sends it.

`list_objects` says what an upstream system offers for a service date, `make_object` makes the
bytes of one. The same seed and name give the same bytes on any machine, in any order. What is true
of the sample, and so what a measure of it should find, is in `truth.TRUTH`.

Products: `metro_gtfs`, `bus_gtfs` and `rail_gtfs` (a zip, renewed monthly), `fleet`,
`count_stations`, `districts`, `population`, `opportunities` (one file, always the same), `counts`,
`passages` and `toll_transactions` (one file per month or day), `read_audits` (one file per service
date).

Everything that is not in `facts` is synthetic. Nothing here reads a clock, a network, the
environment or any file but this package's own source. It imports nothing else of the pipelines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from pipelines.sample.seeds import DEFAULT_SEED, etag

__all__ = ["DEFAULT_SEED", "PRODUCTS", "SampleObject", "list_objects", "make_object"]


@dataclass(frozen=True)
class SampleObject:
    """A file that upstream offers; its etag changes when its bytes may."""

    name: str
    etag: str


@dataclass(frozen=True)
class _Product:
    """How a product's files are named, what each depends on, and how one is made."""

    # Name of each file -> what its bytes depend on besides seed, source and name.
    files: Callable[[date], dict[str, str]]
    make: Callable[[str, date, int], bytes]


def _bus(_name: str, service_date: date, seed: int) -> bytes:
    from pipelines.sample.bus import make_bus_feed

    return make_bus_feed(service_date, seed)


def _metro(_name: str, service_date: date, _seed: int) -> bytes:
    from pipelines.sample.metro import make_metro_feed

    return make_metro_feed(service_date)


def _rail(_name: str, service_date: date, _seed: int) -> bytes:
    from pipelines.sample.rail import make_rail_feed

    return make_rail_feed(service_date)


def _fleet(_name: str, _service_date: date, seed: int) -> bytes:
    from pipelines.sample.fleet import make_fleet

    return make_fleet(seed)


def _count_stations(_name: str, _service_date: date, _seed: int) -> bytes:
    from pipelines.sample.stations import make_count_stations

    return make_count_stations()


def _counts(name: str, service_date: date, seed: int) -> bytes:
    from pipelines.sample.counts import count_objects, counts_parquet

    return counts_parquet(count_objects(service_date)[name], seed)


def _passages(name: str, service_date: date, seed: int) -> bytes:
    from pipelines.sample.passages import passage_objects, passages_parquet

    return passages_parquet(passage_objects(service_date)[name], seed)


def _toll_transactions(name: str, service_date: date, seed: int) -> bytes:
    from pipelines.sample.tolls import toll_objects, toll_transactions_parquet

    return toll_transactions_parquet(toll_objects(service_date)[name], seed)


def _read_audits(_name: str, service_date: date, seed: int) -> bytes:
    from pipelines.sample.audits import make_read_audits

    return make_read_audits(service_date, seed)


def _districts(_name: str, _service_date: date, _seed: int) -> bytes:
    from pipelines.sample.places import make_districts

    return make_districts()


def _population(_name: str, _service_date: date, seed: int) -> bytes:
    from pipelines.sample.places import make_population

    return make_population(seed)


def _opportunities(_name: str, _service_date: date, seed: int) -> bytes:
    from pipelines.sample.opportunities import make_opportunities

    return make_opportunities(seed)


def _count_files(service_date: date) -> dict[str, str]:
    from pipelines.sample.counts import count_objects

    return dict.fromkeys(count_objects(service_date), "")


def _passage_files(service_date: date) -> dict[str, str]:
    from pipelines.sample.passages import passage_objects

    return dict.fromkeys(passage_objects(service_date), "")


def _toll_files(service_date: date) -> dict[str, str]:
    from pipelines.sample.tolls import toll_objects

    return dict.fromkeys(toll_objects(service_date), "")


def _always(name: str) -> Callable[[date], dict[str, str]]:
    return lambda _service_date: {name: ""}


def _monthly(name: str) -> Callable[[date], dict[str, str]]:
    return lambda service_date: {name: service_date.strftime("%Y-%m")}


def _rail_files(service_date: date) -> dict[str, str]:
    from pipelines.sample.rail import covers

    return _monthly("rail_gtfs.zip")(service_date) if covers(service_date) else {}


_PRODUCTS = {
    "metro_gtfs": _Product(_monthly("metro_gtfs.zip"), _metro),
    "bus_gtfs": _Product(_monthly("bus_gtfs.zip"), _bus),
    "rail_gtfs": _Product(_rail_files, _rail),
    "fleet": _Product(_always("fleet_register.csv"), _fleet),
    "count_stations": _Product(_always("count_stations.csv"), _count_stations),
    "counts": _Product(_count_files, _counts),
    "passages": _Product(_passage_files, _passages),
    "toll_transactions": _Product(_toll_files, _toll_transactions),
    "read_audits": _Product(
        lambda service_date: {"read_audits.csv": service_date.isoformat()}, _read_audits
    ),
    "districts": _Product(_always("districts.geojson"), _districts),
    "population": _Product(_always("population_500m.csv"), _population),
    "opportunities": _Product(_always("opportunities.csv"), _opportunities),
}
PRODUCTS: tuple[str, ...] = tuple(_PRODUCTS)


def _product(product: str) -> _Product:
    if product not in _PRODUCTS:
        raise ValueError(
            f"The sample city has no product {product!r}; it has {', '.join(PRODUCTS)}."
        )
    return _PRODUCTS[product]


def list_objects(product: str, service_date: date, seed: int = DEFAULT_SEED) -> list[SampleObject]:
    """Files that upstream offers of a product on a service date, in order of time.

    Raises ValueError for an unknown product.
    """
    return [
        SampleObject(name, etag(seed, product, name, depends_on))
        for name, depends_on in _product(product).files(service_date).items()
    ]


def make_object(product: str, name: str, service_date: date, seed: int = DEFAULT_SEED) -> bytes:
    """Bytes of one of the files that `list_objects` names for the same service date.

    Raises ValueError for an unknown product or name.
    """
    entry = _product(product)
    if name not in entry.files(service_date):
        raise ValueError(
            f"The sample city's product {product!r} has no file {name!r} on {service_date}."
        )
    return entry.make(name, service_date, seed)
