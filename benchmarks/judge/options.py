"""Options of the command line: seeds and processes."""

import argparse


def seeds(text: str) -> range:
    first, _, last = text.partition("-")
    if not (first.isdigit() and last.isdigit() and int(first) < int(last)):
        raise argparse.ArgumentTypeError(f"{text!r} is no range; write first-last, as in 1000-1299")
    return range(int(first), int(last) + 1)


def processes(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes; write 1 or more")
    return int(text)
