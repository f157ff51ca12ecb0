"""Scores handwritten digits: {"data": [[64 numbers]]} in, {"digits": [label]} out."""

import json
import os
from pathlib import Path
from typing import Any

import joblib

_loaded: dict[str, Any] = {}


def init() -> None:
    _loaded["model"] = joblib.load(Path(os.environ["AZUREML_MODEL_DIR"]) / "model.joblib")


def run(raw_data: str) -> dict[str, list[int]]:
    images = json.loads(raw_data)["data"]
    return {"digits": [int(digit) for digit in _loaded["model"].predict(images)]}
