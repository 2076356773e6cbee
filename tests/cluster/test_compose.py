"""docker-compose.yml and the Dockerfile, as they are written: no engine is at hand to run them."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from pipelines.settings import HEARTBEAT, ROOT
from scripts.cluster.airflow import PARTS, SECRETS
from scripts.cluster.secret_files import Hosts, make_secrets

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = "qala:0.1.0"
ADMINS = {"metadata_admin_url", "catalog_admin_url", "s3_admin_key", "s3_admin_secret"}
each_service = pytest.mark.parametrize("name", SERVICES)


def test_the_topology_is_there() -> None:
    servers = {"metadata", "catalog", "redis", "s3", "prepare", "worker", "reader"}
    assert set(SERVICES) == servers | set(PARTS)
    assert SERVICES["worker"]["deploy"]["replicas"] >= 2


def test_a_task_s_end_is_seen_as_soon_as_without_containers() -> None:
    assert HEARTBEAT.items() <= COMPOSE["x-environment"].items()


@each_service
def test_a_service_may_do_little(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    user, group = service["user"].split(":")
    assert int(user) > 0
    assert int(group) > 0
    assert service["tmpfs"]
    forbidden = {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices", "env_file"}
    assert not forbidden & set(service)
    assert not any("docker.sock" in volume for volume in service.get("volumes", []))


@each_service
def test_a_service_has_limits_and_says_how_it_is(name: str) -> None:
    service = SERVICES[name]
    limits = service["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory", "pids"}
    check = service["healthcheck"]
    # What ends by itself is waited for by its end.
    assert check == {"disable": True} if service["restart"] == "no" else check["test"]
    for condition in service.get("depends_on", {}).values():
        assert condition["condition"] in ("service_healthy", "service_completed_successfully")


@each_service
def test_images_are_pinned(name: str) -> None:
    image = SERVICES[name]["image"]
    assert image == OURS or re.search(r"@sha256:[0-9a-f]{64}$|:\d+\.\d+(\.\d+)?-[a-z]+$", image)
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^FROM python:3\.11\.\d+-slim-bookworm$", dockerfile, re.MULTILINE)
    assert "--require-hashes" in dockerfile
    assert re.search(r"^USER 50000:50000$", dockerfile, re.MULTILINE)


@each_service
def test_secrets_come_by_file_and_to_whom_they_are_needed(name: str) -> None:
    service = SERVICES[name]
    given = set(service.get("secrets", []))
    assert given <= set(COMPOSE["secrets"])
    for variable, value in service.get("environment", {}).items():
        assert variable not in SECRETS, variable
        if re.search(r"(?i)password|secret|key", variable):
            assert variable.endswith(("_FILE", "_CMD")), variable
        assert set(re.findall(r"/run/secrets/(\S+)", str(value))) <= given
        assert not re.search(r"://[^/]*:[^/]*@", str(value)), variable
    assert not given & ADMINS or name == "prepare"
    assert "lake_password" not in given or name in ("prepare", "worker")
    if name in ("worker", *PARTS):
        assert set(SECRETS.values()) <= given
    if name == "reader":
        assert not given
        assert service["volumes"] == ["data:/qala/data:ro"]


@each_service
def test_ports_are_on_loopback_alone(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:")


def test_the_servers_of_data_have_no_port_outside() -> None:
    assert {name for name in SERVICES if "ports" in SERVICES[name]} == {"api-server", "reader"}


def test_every_secret_is_made_once_in_a_closed_folder(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make_secrets(folder, Hosts())
    made = {file.name: file.read_text() for file in folder.iterdir()}
    wanted = {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()}
    assert wanted <= set(made)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert len(set(made.values())) == len(made)
    make_secrets(folder, Hosts())
    assert {file.name: file.read_text() for file in folder.iterdir()} == made
    ignored = (ROOT / ".gitignore").read_text() + (ROOT / ".dockerignore").read_text()
    assert ignored.count("secrets") == 2


def test_the_reader_gives_parts_of_files_and_nothing_that_is_being_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from starlette.routing import Mount

    monkeypatch.setenv("QALA_CITY", str(tmp_path / "toy.toml"))
    monkeypatch.setenv("QALA_DATA", str(tmp_path))
    publish = tmp_path / "toy" / "publish"
    (publish / "extracts" / ".2026-11-18.building-7").mkdir(parents=True)
    (publish / "extracts" / ".2026-11-18.building-7" / "a.csv").write_text("half")
    (publish / "toy.duckdb").write_bytes(b"0123456789")
    (publish / ".toy.building-7.duckdb").write_bytes(b"half")
    (tmp_path / "toy" / "landing").write_text("not for readers")
    from scripts.reader import Published, app

    [mount] = [route for route in app.routes if isinstance(route, Mount)]
    mount.app = Published(directory=publish, check_dir=False)
    paths = (
        "/.toy.building-7.duckdb",
        "/extracts/.2026-11-18.building-7/a.csv",
        "/%2e%2e/landing",
        "/extracts/..%2f..%2flanding",
        "/absent.csv",
    )

    async def ask() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://reader") as client:
            assert (await client.get("/healthz")).text == "ok"
            part = await client.get("/toy.duckdb", headers={"Range": "bytes=2-5"})
            assert (part.status_code, part.content) == (206, b"2345")
            assert part.headers["etag"]
            for path in paths:
                assert (await client.get(path)).status_code == 404, path
            assert (await client.put("/toy.duckdb", content=b"x")).status_code == 405

    asyncio.run(ask())
