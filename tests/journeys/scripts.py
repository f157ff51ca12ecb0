"""Small scoring scripts: what they are asked, `{"n": 17}`, decides what they answer."""

GOOD = """
import json

def init():
    pass

def run(raw):
    return {"twice": 2 * json.loads(raw)["n"]}
"""

BETTER = """
import json

def init():
    pass

def run(raw):
    n = json.loads(raw)["n"]
    return {"twice": 2 * n, "thrice": 3 * n}
"""

BAD = """
import json

def init():
    pass

def run(raw):
    n = json.loads(raw)["n"]
    if n % 3 == 0:
        raise ValueError("thirds are too hard")
    return {"twice": 2 * n}
"""
"""Fails on every third number; smoke requests do not ask for those."""

BROKEN = """
def init():
    raise RuntimeError("the model file is not what it was")

def run(raw):
    return {}
"""

SLOW_TO_START = """
import time

def init():
    time.sleep(40)

def run(raw):
    return {}
"""

SILENT = """
import time

def init():
    pass

def run(raw):
    time.sleep(8)
    return {}
"""
"""Answers when whoever asked has other things to do."""
