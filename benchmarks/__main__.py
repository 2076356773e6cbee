"""Run every benchmark, or the named ones: python -m benchmarks [NAME ...]."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

# Modules that benchmarks share are no benchmarks.
SHARED = {"__init__", "__main__", "made_up_passages", "oracle"}


def main(names: list[str]) -> int:
    """Run them one after another; 1 where one of them finds a difference, 2 for unknown names."""
    known = sorted({path.stem for path in Path(__file__).parent.glob("*.py")} - SHARED)
    unknown = sorted(set(names) - set(known))
    if unknown:
        print(f"No benchmark {', '.join(unknown)}; there are {', '.join(known)}.", file=sys.stderr)
        return 2
    return max(int(import_module(f"benchmarks.{name}").main()) for name in names or known)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
