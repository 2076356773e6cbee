"""A PostgreSQL and an S3 server for a test: the servers of a lake on many machines."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.settings import LakeAccess, Settings
from scripts.cluster.groups import HOST, ClusterError, Groups, free_ports, groups
from scripts.cluster.prepare import make_bucket, prepare_database, prepare_lake
from scripts.cluster.secret_files import BUCKET, Hosts, make_secrets
from scripts.cluster.servers import programs, start_postgres, start_s3


@contextmanager
def home_for_servers() -> Iterator[Path]:
    """A folder that PostgreSQL's own user can reach, which pytest's are not."""
    try:
        programs()
    except ClusterError as error:
        pytest.skip(str(error))
    with tempfile.TemporaryDirectory(prefix="qala-cluster-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@dataclass
class LakeServers:
    """What a lake needs, and how it is opened."""

    home: Path
    groups: Groups
    catalog_port: int
    s3_ports: list[int]

    @property
    def s3_address(self) -> str:
        return f"http://{HOST}:{self.s3_ports[0]}"

    def secret(self, name: str) -> str:
        return (self.home / "secrets" / name).read_text()

    def settings(self, prefix: str, *, user: str = "lake") -> Settings:
        """Settings of a lake whose objects lie under a prefix; all share one catalog."""
        data = self.home / prefix
        return Settings(
            data / "toy.toml",
            data,
            f"postgres:host={HOST} port={self.catalog_port} user={user} dbname=lake",
            f"s3://{BUCKET}/{prefix}",
            LakeAccess(
                self.secret(f"{user}_password"),
                self.secret(f"s3_{user}_key"),
                self.secret(f"s3_{user}_secret"),
                self.s3_address,
                "us-east-1",
            ),
        )

    def environment(self, prefix: str) -> dict[str, str]:
        """What programs are told of such a lake."""
        settings = self.settings(prefix)
        return {
            "AWS_ACCESS_KEY_ID_FILE": str(self.home / "secrets" / "s3_lake_key"),
            "AWS_SECRET_ACCESS_KEY_FILE": str(self.home / "secrets" / "s3_lake_secret"),
            "AWS_ENDPOINT_URL": self.s3_address,
            "AWS_REGION": "us-east-1",
            "QALA_CATALOG": settings.catalog,
            "QALA_CATALOG_PASSWORD_FILE": str(self.home / "secrets" / "lake_password"),
            "QALA_OBJECTS": settings.objects,
        }

    def start_s3(self) -> None:
        start_s3(self.groups, self.home, self.s3_ports, self.home / "secrets" / "s3_config")


@contextmanager
def lake_servers() -> Iterator[LakeServers]:
    """Both servers, with the roles, database and bucket of a cluster."""
    with home_for_servers() as home, groups(home / "logs") as found:
        catalog, *s3_ports = free_ports(9)
        make_secrets(home / "secrets", Hosts(catalog=f"{HOST}:{catalog}"))
        servers = LakeServers(home, found, catalog, s3_ports)
        password = home / "secrets" / "catalog_admin_password"
        start_postgres(found, home, "catalog", catalog, password)
        servers.start_s3()
        admin = servers.secret("catalog_admin_url")
        prepare_database(admin, "lake", servers.secret("lake_password"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", servers.s3_address)
            make_bucket(servers.secret("s3_admin_key"), servers.secret("s3_admin_secret"))
        passwords = (servers.secret(f"{name}_password") for name in ("lake", "reader"))
        prepare_lake(servers.settings("roles"), admin, *passwords)
        yield servers
