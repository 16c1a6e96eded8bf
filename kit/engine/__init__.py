"""Engines: where a job runs. `run_job` gives a job to one and turns whatever happens into a value or an error."""

from kit.engine.base import Engine, JobFolder, Limits
from kit.engine.run import Order, choose_engine, run_job

__all__ = ["Engine", "JobFolder", "Limits", "Order", "choose_engine", "run_job"]
