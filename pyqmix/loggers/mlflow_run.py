"""MLflow, whose own environment variables (MLFLOW_TRACKING_URI and so on) keep their meaning."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from pyqmix.envs.importing import import_optional
from pyqmix.loggers.protocol import LoggedRun, Status

_STATUS = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
_LONGEST, _MOST = 6_000, 100  # characters of a parameter, parameters of a call


class MlflowRun:
    """A run of an MLflow experiment; its id is MLflow's own.

    Raises:
        ConfigError: mlflow is not installed.
    """

    def __init__(self, run: LoggedRun) -> None:
        mlflow: Any = import_optional("mlflow", "loggers: runs of MLflow", "'pyqmix-marl[mlflow]'")
        self._entities = mlflow.entities
        self._client = mlflow.MlflowClient()  # of its own, so that the program's active run stays
        self.id: str | None = run.id
        if self.id is None:
            experiment = run.project("MLFLOW_EXPERIMENT_NAME")
            self.id = self._client.create_run(self._experiment(experiment), run_name=run.name).info.run_id
        else:
            self._client.update_run(self.id, status="RUNNING")
        self._write_options(run.options)
        self.where = f"run {self.id} in {mlflow.get_tracking_uri()}"

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Write the numbers of a step to the store."""
        now = int(1000 * time.time())
        metrics = [self._entities.Metric(name, value, now, step) for name, value in values.items()]
        self._client.log_batch(self.id, metrics=metrics)

    def close(self, status: Status) -> None:
        """End the run."""
        self._client.set_terminated(self.id, _STATUS[status])

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        return str(found.experiment_id if found is not None else self._client.create_experiment(name))

    def _write_options(self, options: Mapping[str, Any]) -> None:
        """Write those that the run does not have yet: MLflow's parameters cannot change."""
        known = self._client.get_run(self.id).data.params
        new = [self._entities.Param(k, str(v)[:_LONGEST]) for k, v in options.items() if k not in known]
        for first in range(0, len(new), _MOST):
            self._client.log_batch(self.id, params=new[first : first + _MOST])
