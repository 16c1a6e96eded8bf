"""Model Explorer with a bundle in it. It is no dependency of the kit, and is asked for where it is missing."""

from __future__ import annotations

from importlib.util import find_spec

from kit.errors import EngineError
from kit.exploration.node_data import Explored

MODULE = "model_explorer"


def require() -> None:
    """Raise EngineError where Model Explorer is not installed."""
    if find_spec(MODULE) is None:
        raise EngineError(
            "Model Explorer is not installed beside dropkit (package ai-edge-model-explorer)",
            "pip install ai-edge-model-explorer; or --out FOLDER, which writes what it would show",
        )


def serve(explored: Explored, host: str, port: int, *, browser: bool) -> None:
    """Open a bundle's model, and serve it until the process is interrupted. Raises EngineError where it is not there.

    port: 8080 stands for the first free one from there on.
    """
    require()
    import model_explorer

    config = model_explorer.config()
    config.add_model_from_path(str(explored.model))
    for column in explored.columns:
        config.add_node_data(column.title, column.text())
    model_explorer.visualize_from_config(config, host=host, port=port, no_open_in_browser=not browser)
