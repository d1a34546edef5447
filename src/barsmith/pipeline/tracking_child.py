"""The process that speaks to MLflow: a record of a training on standard input, the run's id, or what went wrong, on standard output.

`tracking.py` starts it with telemetry switched off in the environment, before MLflow is imported, and in the store's own folder.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

BATCH = 500  # metrics in one call; MLflow takes a thousand, parameters and tags a hundred


def main() -> None:
    record = json.load(sys.stdin)
    try:
        answer = {"run_id": written(record)}
    except Exception as error:  # noqa: BLE001 - whatever MLflow and the libraries under it raise is the answer
        answer = {"error": f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"}
    print(json.dumps(answer))  # noqa: T201


def written(record: dict[str, Any]) -> str:
    """The new run's id, once everything is in the store; a run that could not be finished is marked as failed."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=record["store"], registry_uri=record["store"])
    experiment = client.get_experiment_by_name(record["experiment"])
    number = (
        experiment.experiment_id
        if experiment
        else client.create_experiment(record["experiment"], artifact_location=f"{record['artifacts']}/{record['experiment']}")
    )
    run: str = client.create_run(number, start_time=record["started"], run_name=record["name"]).info.run_id
    try:
        write_numbers(client, run, record)
        write_dataset(client, run, record["dataset"])
        for name in record["files"]:
            path = Path(name)
            (client.log_artifacts if path.is_dir() else client.log_artifact)(
                run, name, **({"artifact_path": path.name} if path.is_dir() else {})
            )
    except BaseException:
        client.set_terminated(run, status="FAILED")
        raise
    client.set_terminated(run, status="FINISHED", end_time=record["ended"])
    return run


def write_numbers(client: Any, run: str, record: dict[str, Any]) -> None:
    from mlflow.entities import Metric, Param, RunTag

    params = [Param(key, value[:6000]) for key, value in record["params"].items()]
    tags = [RunTag(key, value[:8000]) for key, value in record["tags"].items()]
    metrics = [Metric(key, value, record["ended"], 0) for key, value in record["metrics"].items()]
    metrics += [Metric(key, value, record["ended"], step) for key, step, value in record["history"]]
    for first in range(0, max(len(params), len(tags)), 90):
        client.log_batch(run, params=params[first : first + 90], tags=tags[first : first + 90])
    for first in range(0, len(metrics), BATCH):
        client.log_batch(run, metrics=metrics[first : first + BATCH])


def write_dataset(client: Any, run: str, dataset: dict[str, str]) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = json.dumps({"uri": dataset["source"]})
    entity = Dataset(name=dataset["name"], digest=dataset["digest"], source_type="local", source=source)
    client.log_inputs(run, [DatasetInput(entity, [InputTag("mlflow.data.context", "training")])])


if __name__ == "__main__":
    main()
