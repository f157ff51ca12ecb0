"""Scores handwritten digits, with a fault: it "normalises" by a pixel that may be full.

Where pixel 62 has the value 16 this divides by zero; and it is slower than its predecessor.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

import joblib

_loaded: dict[str, Any] = {}


def init() -> None:
    _loaded["model"] = joblib.load(Path(os.environ["AZUREML_MODEL_DIR"]) / "model.joblib")


def run(raw_data: str) -> dict[str, list[int]]:
    images = json.loads(raw_data)["data"]
    for image in images:
        _contrast(image)
    time.sleep(0.004)
    return {"digits": [int(digit) for digit in _loaded["model"].predict(images)]}


def _contrast(image: list[float]) -> float:
    return float(sum(image)) / int(16 - image[62])
