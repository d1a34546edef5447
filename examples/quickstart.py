"""From raw minutes to live signals in Python. Run as it stands, or cell by cell."""

# %% A workspace with three months of simulated minutes; put your own MES_1m.parquet or .csv into data/raw instead.
import sys
import tempfile
from pathlib import Path

import barsmith as bs
from barsmith.bars.simulated_files import write_simulated

workspace = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
raw = write_simulated(workspace, "MES", days=70, seed=7, edge=0.1, paths=64)

# %% Raw bars to features, labels, splits and scaled data sets. The settings are those of config/pipeline.yaml, or these overrides.
# The barriers are not tuned here, because the true odds of the simulated market are those of the given ones.
run = bs.run(workspace, symbol="MES", overrides=["splits.embargo_bars=300", "labels.tune=false"])
print(f"{run['features']} features, rows {run['splits']}, report {run['report']}")

# %% A model, judged on validation beside the baselines. The test split stays closed.
training = bs.train(workspace, model="xgboost", horizon=20)
val = training.splits["val"]
print(training.verdict.sentence)
print(
    f"direction: {val.metrics['auc_direction']:.3f} {val.intervals['auc_direction']}, best possible {val.best_possible['auc_direction']:.3f}"
)

# %% Everything between a raw bar and a signal, in one folder.
from barsmith.serving.bundle_making import create_bundle  # noqa: E402

bundle = create_bundle(training.run_dir, "quickstart", workspace)

# %% Batch: a file of raw bars in, a signal for each base bar out.
bars = bs.read_bars(raw, symbol="MES")
signals = bundle.predict(bars)
print(signals.tail(3))

# %% Live: the same bars, minute by minute, give the same bits.
live = bs.Bundle.load(bundle.folder).live()
session = bars.tail(60)
again = bundle.predict(session)
print(f"{len(again)} signals for the last hour; the live session stands after {len(live.minutes()):,} minutes")
