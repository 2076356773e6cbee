"""A bucket on loopback: lists, signatures (obstore signs the same), ETags, what is refused."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import httpx
import obstore
import pytest
from obstore.store import S3Store

from pipelines.city_file import Source, load_city
from pipelines.errors import SettingsError
from pipelines.sources.fetch import Fetched, Known, retries, s3
from pipelines.sources.landing import Landing
from tests.sources.upstream import Asked, Reply, Upstream, fetch_all, known_of, redirect, serving
from tests.sources.upstream import source as any_source

KEYS = {"id": "AKIDEXAMPLE", "key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    monkeypatch.setattr(retries, "FIRST_PAUSE_SECONDS", 0.001)
    with serving() as server:
        yield server


def source(bucket: Upstream, address: str, *, is_public: bool = False, **more: object) -> Source:
    keys = (
        {} if is_public else {"access_key_id": "{secret:id}", "secret_access_key": "{secret:key}"}
    )
    where = {"endpoint": bucket.url, "region": "eu-central-1", **keys}
    return any_source(address, kind="traffic_counts", format="csv", s3=where, **more)


def listing(*keys: str, then: str = "") -> Reply:
    items = "".join(
        f"<Contents><Key>{escape(key)}</Key><ETag>&quot;{len(key)}&quot;</ETag></Contents>"
        for key in keys
    )
    more = f"<NextContinuationToken>{then}</NextContinuationToken>" if then else ""
    return Reply(
        body=f'<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<IsTruncated>{str(bool(then)).lower()}</IsTruncated>{more}{items}"
        f"</ListBucketResult>".encode()
    )


def fetch(
    folder: Path, what: Source, known: dict[str, Known] | None = None, **more: object
) -> list[Fetched]:
    return fetch_all(folder, what, known, connections=KEYS, **more)


def is_signed(asked: Asked) -> bool:
    """Whether a question bears the signature that its date, key and address call for."""
    at = datetime.strptime(asked.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    opened = s3.Bucket("", "counts", "eu-central-1", KEYS["id"], KEYS["key"])
    expected = opened.signed(httpx.URL(f"http://{asked.headers['Host']}{asked.path}"), at)
    return asked.headers["Authorization"] == expected["Authorization"]


def test_a_key_is_fetched_once(tmp_path: Path, bucket: Upstream) -> None:
    bucket.tell("/counts/2026/a.csv", Reply(headers={"ETag": '"e1"'}))
    what = source(bucket, "s3://counts/2026/a.csv")
    [first] = fetch(tmp_path, what)
    assert (first.object_name, first.outcome, first.etag) == ("2026/a.csv", "new", '"e1"')
    [again] = fetch(tmp_path, what, {"2026/a.csv": known_of(first)})
    assert again.outcome == "unchanged"
    assert bucket.bodies_sent == 1
    for asked in bucket.asked:
        assert asked.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
        assert is_signed(asked)


def test_a_listing_spares_what_is_known(tmp_path: Path, bucket: Upstream) -> None:
    bucket.tell(
        "/counts",
        listing("in/b c+.csv", "in/", "in/note.txt", "in/deeper/d.csv", then="more=="),
        listing("in/a.csv"),
    )
    bucket.tell("/counts/in/a.csv", Reply(headers={"ETag": '"8"'}))
    bucket.tell("/counts/in/b%20c%2B.csv", Reply(headers={"ETag": '"11"'}))
    what = source(bucket, "s3://counts/in/")
    fetched = fetch(tmp_path, what)
    assert [(item.object_name, item.outcome) for item in fetched] == [
        ("in/a.csv", "new"),
        ("in/b c+.csv", "new"),
    ]
    assert all(is_signed(asked) for asked in bucket.asked)
    pages = [parse_qs(urlsplit(path).query) for path in bucket.paths[:2]]
    assert pages[0] == {"list-type": ["2"], "prefix": ["in/"]}
    assert pages[1] == {**pages[0], "continuation-token": ["more=="]}

    bucket.asked.clear()
    bucket.tell("/counts", listing("in/b c+.csv", "in/a.csv"))
    known = {item.object_name: known_of(item) for item in fetched}
    assert [item.outcome for item in fetch(tmp_path, what, known)] == ["unchanged"] * 2
    assert [urlsplit(path).path for path in bucket.paths] == ["/counts"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("in/*.csv", ["in/a.csv", "in/b.csv"]),
        ("in/a*", ["in/a.csv"]),
        ("*/*/c.csv", ["in/x/c.csv"]),
        ("", ["top.csv"]),
        ("*.csv", ["top.csv"]),
    ],
)
def test_patterns(tmp_path: Path, bucket: Upstream, pattern: str, names: list[str]) -> None:
    keys = ["in/a.csv", "in/b.csv", "in/x/c.csv", "top.csv", "top.txt"]
    bucket.tell("/counts", listing(*keys))
    for key in keys:
        bucket.tell(f"/counts/{key}", Reply(body=key.encode()))
    fetched = fetch(tmp_path, source(bucket, f"s3://counts/{pattern}"))
    assert [item.object_name for item in fetched] == names
    landing = Landing(tmp_path / "landing")
    assert [landing.read(item.sha256).decode() for item in fetched] == names


def test_a_public_bucket_is_asked_without_a_signature(tmp_path: Path, bucket: Upstream) -> None:
    bucket.tell("/counts/a.csv", Reply())
    [fetched] = fetch_all(tmp_path, source(bucket, "s3://counts/a.csv", is_public=True))
    assert fetched.outcome == "new"
    assert not {"Authorization", "x-amz-date"} & set(bucket.asked[0].headers)


def test_days_of_a_bucket(tmp_path: Path, bucket: Upstream) -> None:
    bucket.tell("/counts/2026-11-20.csv", Reply())
    fetched = fetch(tmp_path, source(bucket, "s3://counts/{date}.csv", days=2))
    assert [(item.object_name, item.outcome) for item in fetched] == [
        ("2026-11-19.csv", "failed"),
        ("2026-11-20.csv", "new"),
    ]


@pytest.mark.parametrize("key", ["a.csv", "in/b c+~é.csv", "x=1/y.csv"])
def test_signatures_are_those_of_obstore(bucket: Upstream, key: str) -> None:
    """The same question signed by another hand, at the moment that it named."""
    store = S3Store(
        "counts",
        endpoint=bucket.url,
        region="eu-central-1",
        credential_provider=lambda: {
            "access_key_id": KEYS["id"], "secret_access_key": KEYS["key"], "expires_at": None,
        },
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )  # fmt: skip
    opened = s3.Bucket(bucket.url, "counts", "eu-central-1", KEYS["id"], KEYS["key"])
    ours = opened.url(key)
    bucket.tell(
        ours.raw_path.decode(),
        Reply(headers={"Last-Modified": "Fri, 20 Nov 2026 00:00:00 GMT", "ETag": '"1"'}),
    )
    bucket.tell("/counts", listing())
    assert bytes(obstore.get(store, key).bytes())
    obstore.list(store, prefix="in").collect()
    got, listed = [
        Asked(a.path, {n.title(): v for n, v in a.headers.items()}) for a in bucket.asked
    ]
    assert got.path == ours.raw_path.decode()
    assert (
        listed.path == opened.url(query=(("prefix", "in/"), ("list-type", "2"))).raw_path.decode()
    )
    for asked in (got, listed):
        headers = {**asked.headers, "x-amz-date": asked.headers["X-Amz-Date"]}
        assert is_signed(Asked(asked.path, headers))


@pytest.mark.parametrize(
    ("reply", "is_transient", "said"),
    [
        (Reply(403, b""), False, "answered 403 Forbidden. Check `address` and `s3`"),
        (Reply(404, b""), False, "answered 404 Not Found"),
        (Reply(503, b""), True, "answered 503"),
        (redirect("http://127.0.0.1:1/"), False, "the bucket lies elsewhere. Check `s3.region`"),
        (Reply(body=b"<html>"), True, "what is no listing"),
        (Reply(body=b"<?xml version='1.0' encoding='none'?><a/>"), True, "what is no listing"),
        (listing(), False, "holds no object"),
        (listing("in/a.txt"), False, "holds no object"),
    ],
)
def test_a_listing_that_fails_is_one_outcome(
    tmp_path: Path, bucket: Upstream, reply: Reply, is_transient: bool, said: str
) -> None:
    bucket.tell("/counts", reply)
    [fetched] = fetch(tmp_path, source(bucket, "s3://counts/in/"))
    assert (fetched.object_name, fetched.outcome) == ("", "failed")
    assert fetched.is_transient == is_transient
    assert said in fetched.reason
    assert len(bucket.asked) == (retries.TRIES if is_transient else 1)


def test_what_is_refused(tmp_path: Path, bucket: Upstream) -> None:
    bucket.tell("/counts/a.csv", Reply(length=1_000_001))
    [large] = fetch(tmp_path, source(bucket, "s3://counts/a.csv", max_megabytes=1))
    assert "larger than 1 MB" in large.reason
    [private] = fetch(tmp_path, source(bucket, "s3://counts/a.csv", allow_private=False))
    assert "127.0.0.1 is no public address" in private.reason
    [nowhere] = fetch(tmp_path, source(bucket, "s3://"))
    assert "names no bucket" in nowhere.reason
    assert len(bucket.asked) == 1


def test_the_environment_gives_no_keys(
    tmp_path: Path, bucket: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "of the environment")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "AWS_ENDPOINT_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    bucket.tell("/counts/a.csv", Reply())
    [fetched] = fetch_all(tmp_path, source(bucket, "s3://counts/a.csv", is_public=True))
    assert fetched.outcome == "new"
    assert "Authorization" not in bucket.asked[0].headers
    assert os.environ["HTTP_PROXY"]


def test_amazons_own_endpoint() -> None:
    secrets = s3.Secrets(KEYS)
    what = any_source("s3://counts/a.csv", s3={"region": "eu-north-1"})
    opened = s3._bucket("counts", what, secrets)
    assert str(opened.url("a b.csv")) == "https://s3.eu-north-1.amazonaws.com/counts/a%20b.csv"
    assert opened.signed(opened.url("a.csv"), datetime.now(UTC) - timedelta(days=1)) == {}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ('secret_access_key = "literal"\naccess_key_id = "x"', "must name a secret"),
        ('access_key_id = "x"', "belong together"),
        ('endpoint = "ftp://x"', "`sources.counts.s3.endpoint`"),
        ('endpont = "https://x"', "did you mean `endpoint`?"),
    ],
)
def test_wrong_keys_of_a_bucket(tmp_path: Path, keys: str, said: str) -> None:
    path = tmp_path / "toy.toml"
    path.write_text(
        '[city]\nid = "toy"\nname = "Toytown"\ntime_zone = "Asia/Almaty"\n\n[sources.counts]\n'
        'kind = "traffic_counts"\naddress = "s3://counts/"\nformat = "csv"\nmark = "measured"\n\n'
        f"[sources.counts.s3]\n{keys}\n"
    )
    with pytest.raises(SettingsError) as raised:
        load_city(path)
    assert said in str(raised.value)
    assert "literal" not in str(raised.value)
