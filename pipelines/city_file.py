"""The city file: one TOML file a city, read and checked in one place.

`cities/almaty.toml` shows every key, `docs/add-a-city.md` explains them. A wrong or missing key is
reported with its path in the file.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from pipelines import flow
from pipelines.access import (
    ClearPlates,
    Headers,
    S3Access,
    Template,
    secret_names,
)
from pipelines.alert_channels import Channels, MailChannel, TelegramChannel, WebhookChannel
from pipelines.errors import SettingsError
from pipelines.events import CityEvent, CityEvents
from pipelines.night import DayType, Event, Mark, Night, Window, weakest_mark

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
KINDS = tuple(kind.name for kind in flow.SOURCE_KINDS)


def _clock(value: object) -> object:
    """A local time of day written "07:00"; TOML's own local times are accepted too."""
    if isinstance(value, str):
        try:
            return time.fromisoformat(value)
        except ValueError as error:
            raise ValueError(f"{value!r} is no time of day; write it as 'HH:MM'") from error
    return value


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError) as error:
        raise ValueError(f"{name!r} is no time zone; write it as in 'Asia/Almaty'") from error
    return name


def _known_figure(name: str) -> str:
    known = [mart.short_name for mart in flow.marts()]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1) or known
        raise ValueError(f"{name!r} is no figure; there are: {', '.join(near)}")
    return name


Clock = Annotated[time, BeforeValidator(_clock)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CityFacts(_Part):
    """`[city]`: the name (in Kazakh and Russian too), the clock and the calendar."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")
    name: str = Field(min_length=1)
    name_kk: str | None = Field(default=None, min_length=1)
    name_ru: str | None = Field(default=None, min_length=1)
    time_zone: Annotated[str, AfterValidator(_known_zone)]
    reference_weekday: Literal[WEEKDAYS] = "tuesday"  # type: ignore[valid-type]  # one list of names
    holidays: tuple[date, ...] = ()
    history_months: int = Field(default=0, ge=0, le=120)
    policy: str | None = Field(default=None, min_length=1)
    figures: tuple[Annotated[str, AfterValidator(_known_figure)], ...] = ()

    @property
    def marts(self) -> frozenset[str]:
        """The marts of the figures, by their tables' names; none stands for all."""
        return frozenset(f"marts.{name}" for name in self.figures)


class DepartureWindow(_Part):
    """`[departure_window]`: the local window in which departures are taken for accessibility."""

    start: Clock = time(7)
    end: Clock = time(9)

    @model_validator(mode="after")
    def _ordered(self) -> DepartureWindow:
        if self.end <= self.start:
            raise ValueError("end must be later than start")
        return self


class NightSchedule(_Part):
    """`[schedule]`: local times on the morning after the service date, and how work is shared.

    Days of passages are counted, and travel times found, by `day_tasks` tasks beside each other.
    """

    hour: Clock = time(3)
    cut_off: Clock = time(5)
    deadline_minutes: int = Field(default=240, ge=1)
    day_tasks: int = Field(default=1, ge=1, le=64)
    owner: str = "qala"
    tags: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _ordered(self) -> NightSchedule:
        if self.cut_off < self.hour:
            raise ValueError("cut_off must not be earlier than hour")
        return self


class Privacy(_Part):
    """`[privacy]`: for how many days rows of single vehicles are kept."""

    passage_retention_days: int = Field(default=400, ge=3, le=3660)


class Upkeep(_Part):
    """`[upkeep]`: for how long what is not published is kept, and how often it is backed up.

    Without `landing_days` raw objects are kept for ever. `backup_days` is the age of the last
    backup from which on people are told; without it nobody is.
    """

    snapshot_days: int = Field(default=30, ge=1)
    landing_days: int | None = Field(default=None, ge=30)
    backup_days: int | None = Field(default=None, ge=1)


class Place(_Part):
    """`[[delivery.places]]`: an SFTP folder or an S3 bucket, opened by a connection of Airflow's.

    The host of an SFTP server stands in the connection, the bucket in the address.
    """

    address: str = Field(pattern=r"^(sftp:///|s3://[A-Za-z0-9]).*[^/]$")
    connection: str = Field(min_length=1)

    @property
    def scheme(self) -> Literal["sftp", "s3"]:
        """What reaches it."""
        return "s3" if self.address.startswith("s3:") else "sftp"

    @property
    def folder(self) -> str:
        """The path that a file system of the scheme knows it by."""
        return self.address.partition("://")[2]


class Delivery(_Part):
    """`[delivery]`: where extracts are handed over once a night is published."""

    folder: str = ""
    places: tuple[Place, ...] = ()


class Source(_Part):
    """`[sources.<name>]`: one feed, register or series of files.

    `address` is a path (from the city file), ``file:``, ``http(s):``, ``s3:`` or ``sample:`` and a
    product. A path may be a folder or hold a ``*`` (every file is an object of the source), an s3
    address too; an http or s3 address may hold ``{date}``, one object for each of the last `days`
    days. An http address and `headers` may name secrets.
    """

    kind: Literal[KINDS]  # type: ignore[valid-type]  # the kinds of flow.py, listed once
    address: Template = Field(min_length=1)
    format: str = Field(min_length=1)
    mark: Mark
    critical: bool = False
    cadence_days: int = Field(default=1, ge=1)
    days: int = Field(default=1, ge=1, le=10_000)
    headers: Headers = Field(default_factory=dict)
    s3: S3Access = S3Access()
    allow_private: bool = False
    allow_http: bool = False
    max_megabytes: int = Field(default=512, ge=1)
    max_minutes: float = Field(default=15, gt=0)
    max_quarantine_share: float | None = Field(default=None, ge=0, le=1)
    time_zone: Annotated[str, AfterValidator(_known_zone)] | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    terms: dict[str, dict[str, str]] = Field(default_factory=dict)
    plates: ClearPlates | None = None

    @model_validator(mode="after")
    def _keys_fit_the_address(self) -> Source:
        scheme = self.address.partition(":")[0]
        if scheme not in ("http", "https") and (self.headers or secret_names(self.address)):
            raise ValueError("headers and secrets in an address are for http: and https: alone")
        if scheme != "s3" and self.s3 != S3Access():
            raise ValueError("s3 is for an s3: address alone")
        return self

    @model_validator(mode="after")
    def _plates_fit_the_kind(self) -> Source:
        kinds = [kind.name for kind in flow.SOURCE_KINDS if kind.hash_plates]
        if self.plates is not None and self.kind not in kinds:
            raise ValueError(f"plates is for the kinds {', '.join(kinds)} alone")
        return self

    @property
    def secret_names(self) -> list[str]:
        """Names of the secrets without which the source can't be fetched."""
        keys = [self.s3.access_key_id, self.s3.secret_access_key]
        if self.plates is not None:
            keys.append(self.plates.key)
        return secret_names(self.address, *self.headers.values(), *keys)


class City(_Part):
    """A city file."""

    city: CityFacts
    departure_window: DepartureWindow = DepartureWindow()
    schedule: NightSchedule = NightSchedule()
    delivery: Delivery = Delivery()
    privacy: Privacy = Privacy()
    upkeep: Upkeep = Upkeep()
    events: CityEvents = ()
    alerts: Channels = ()
    sources: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")], Source] = Field(
        min_length=1
    )

    @property
    def dated_events(self) -> tuple[Event, ...]:
        """The events in order of time, as makers are told of them."""
        return tuple(event.as_told() for event in self.events)

    def day_type(self, day: date) -> DayType:
        """Kind of day; a public holiday is one on any weekday."""
        if day in self.city.holidays:
            return "holiday"
        return "saturday" if day.weekday() == 5 else "sunday" if day.weekday() == 6 else "weekday"

    def night(self, service_date: date, source_ids: Iterable[str]) -> Night:
        """What a maker is told of a night that stands on these sources."""
        marks: set[Mark] = {self.sources[source_id].mark for source_id in source_ids}
        return Night(
            city_id=self.city.id,
            city_name=self.city.name,
            service_date=service_date,
            day_type=self.day_type(service_date),
            time_zone=self.city.time_zone,
            window=self.window(),
            mark=weakest_mark(marks),
        )

    def window(self) -> Window:
        """The departure window in seconds after the service day's start."""
        return Window(_seconds(self.departure_window.start), _seconds(self.departure_window.end))

    def reference_days(self, service_date: date) -> list[date]:
        """The days that stand for the months before: each month's second reference weekday.

        One that is a public holiday gives way to the week after. Newest first.
        """
        weekday = WEEKDAYS.index(self.city.reference_weekday)
        days: list[date] = []
        first = service_date.replace(day=1)
        for _ in range(self.city.history_months):
            first = (first - timedelta(days=1)).replace(day=1)
            day = first + timedelta(days=(weekday - first.weekday()) % 7 + 7)
            while day in self.city.holidays:
                day += timedelta(days=7)
            days.append(day)
        return days

    def first_kept_date(self, service_date: date) -> date:
        """The first local day whose single vehicles are kept after a night."""
        return service_date - timedelta(days=self.privacy.passage_retention_days)

    def feeds(self) -> list[str]:
        """Names of the sources that are GTFS feeds, in the file's order."""
        return [name for name, source in self.sources.items() if source.kind == "gtfs"]

    def morning_after(self, service_date: date, clock: time) -> datetime:
        """The moment at which it is `clock` on the local morning after the service date."""
        zone = ZoneInfo(self.city.time_zone)
        return datetime.combine(service_date + timedelta(days=1), clock, tzinfo=zone)


def _seconds(clock: time) -> int:
    return clock.hour * 3600 + clock.minute * 60 + clock.second


def load_city(path: Path) -> City:
    """Read and check a city file.

    Raises `SettingsError` naming the first wrong or missing key by its path in the file.
    """
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        near = sorted(p.name for p in path.parent.glob("*.toml")) if path.parent.is_dir() else []
        hint = f" There are: {', '.join(near)}." if near else ""
        raise SettingsError(
            f"City file {path} does not exist.", f"Give an existing one with --city.{hint}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"City file {path} can't be read: {error}.", "Mend the file.") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"City file {path} is not TOML: {error}.", "Mend that line.") from None
    try:
        return City.model_validate(tree)
    except ValidationError as error:
        raise SettingsError(
            f"City file {path}: " + "; ".join(_complaint(e) for e in error.errors()[:3]) + ".",
            "docs/add-a-city.md explains every key.",
        ) from None


def _complaint(error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"] if part != "[key]")
    if error["type"] == "missing":
        return f"`{key}` is missing"
    if error["type"] == "extra_forbidden":
        known = _known_keys(error["loc"][:-1])
        near = difflib.get_close_matches(str(error["loc"][-1]), known, n=1)
        known_text = f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(known)}"
        return f"`{key}` is an unknown key ({known_text})"
    message = error["msg"].removeprefix("Value error, ")
    found = error["input"]
    # A whole part may hold keys that no log should show.
    is_part = isinstance(found, (dict, list)) or "must name a secret" in message
    return f"`{key}`: {message}" + ("" if is_part else f" (found {found!r:.80})")


def _known_keys(place: tuple[str | int, ...]) -> list[str]:
    if not place:
        return list(City.model_fields)
    if place[0] == "sources":
        nested: dict[object, type[BaseModel]] = {"s3": S3Access, "plates": ClearPlates}
        return list((nested[place[2]] if len(place) > 2 else Source).model_fields)
    if place[0] == "events":
        return list(CityEvent.model_fields)
    if place[0] == "alerts" and len(place) > 2:
        channels: dict[str, type[BaseModel]] = {
            "mail": MailChannel,
            "webhook": WebhookChannel,
            "telegram": TelegramChannel,
        }
        return list(channels[str(place[2])].model_fields)
    part = City.model_fields[str(place[0])].annotation
    return list(part.model_fields) if isinstance(part, type) and issubclass(part, _Part) else []
