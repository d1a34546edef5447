"""A whole data run over one year of minutes, in a fresh process: seconds and peak memory, first and once everything is cached."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from barsmith.artifacts import write_parquet
from barsmith.bars.simulate import simulate

RUN = """
import json, resource, sys, time
import barsmith as bs
began = time.perf_counter()
record = bs.run(sys.argv[1], symbol="MES")
seconds = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": seconds, "peak_mib": peak, "features": record["features"], "bars": record["stages"][2]["rows"],
                  "stages": {s["name"]: s["seconds"] for s in record["stages"]}}))
"""


def once(workspace: Path) -> dict:
    done = subprocess.run([sys.executable, "-c", RUN, str(workspace)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def measure(days: int = 257) -> dict:
    """Seconds and MiB of the first run, of one that computes everything again, and of one that finds everything cached."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        bars = simulate("MES", days=days, seed=3, edge=0.0, paths=0).bars
        write_parquet(workspace / "data" / "raw" / "MES_1m.parquet", bars)
        once(workspace)  # compiled kernels are cached from here on
        for state in (workspace / "data" / "stages").rglob("state.json"):
            state.unlink()
        computed, cached = once(workspace), once(workspace)
    return {
        "claim": "a data run over one year of minutes",
        "minutes": len(bars),
        "base bars": computed["bars"],
        "features": computed["features"],
        "computed, seconds": round(computed["seconds"], 2),
        "computed, peak MiB": round(computed["peak_mib"]),
        "cached, seconds": round(cached["seconds"], 2),
        "ratio, computed / cached": round(computed["seconds"] / cached["seconds"], 1),
        "seconds by stage": {name: round(seconds, 2) for name, seconds in computed["stages"].items()},
    }


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
