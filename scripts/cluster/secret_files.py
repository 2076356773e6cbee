"""The secrets of a cluster, each in a file of its own, in a folder that its owner alone may enter.

    python -m scripts.cluster.secret_files secrets

makes those of `docker-compose.yml`. A container is given single files of them, as another user:
these may be read by who gets at them, which on this machine the folder's owner alone does. What is
there stays: running it again changes nothing.
"""

from __future__ import annotations

import json
import sys
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from secrets import token_bytes, token_hex

BUCKET = "qala"


@dataclass(frozen=True)
class Hosts:
    """Where the servers listen, as ``host:port``."""

    metadata: str = "metadata:5432"
    catalog: str = "catalog:5432"
    redis: str = "redis:6379"


def make_secrets(folder: Path, hosts: Hosts) -> None:
    """Write every secret that is not there yet."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def keep(name: str, make: Callable[[], str]) -> str:
        file = folder / name
        if not file.exists():
            file.write_text(make(), encoding="utf-8")
            file.chmod(0o444)
        return file.read_text(encoding="utf-8")

    for server, host in (("metadata", hosts.metadata), ("catalog", hosts.catalog)):
        admin = keep(f"{server}_admin_password", token_hex)
        address = f"postgresql://postgres:{admin}@{host}/postgres"
        keep(f"{server}_admin_url", partial(str, address))
    airflow = keep("metadata_password", token_hex)
    keep(
        "metadata_url", lambda: f"postgresql+psycopg2://airflow:{airflow}@{hosts.metadata}/airflow"
    )
    keep(
        "result_url", lambda: f"db+postgresql+psycopg2://airflow:{airflow}@{hosts.metadata}/airflow"
    )
    keep("lake_password", token_hex)
    keep("reader_password", token_hex)
    redis = keep("redis_password", token_hex)
    keep("redis_conf", lambda: f"requirepass {redis}\n")
    keep("broker_url", lambda: f"redis://:{redis}@{hosts.redis}/0")
    keep("jwt_secret", token_hex)
    keep("api_secret_key", token_hex)
    keep("fernet_key", lambda: urlsafe_b64encode(token_bytes(32)).decode())
    keep("airflow_passwords", lambda: json.dumps({"admin": token_hex()}))
    users = {
        "admin": ["Admin", "Read", "Write", "List"],
        "lake": [f"{act}:{BUCKET}" for act in ("Read", "Write", "List")],
        "reader": [f"{act}:{BUCKET}" for act in ("Read", "List")],
    }
    identities = [
        {
            "name": name,
            "credentials": [
                {
                    "accessKey": keep(f"s3_{name}_key", lambda: token_hex(10)),
                    "secretKey": keep(f"s3_{name}_secret", token_hex),
                }
            ],
            "actions": actions,
        }
        for name, actions in users.items()
    ]
    keep("s3_config", lambda: json.dumps({"identities": identities}))


if __name__ == "__main__":
    make_secrets(Path(sys.argv[1]), Hosts())
