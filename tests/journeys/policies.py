"""The policies of these journeys, and the smoke requests beside them."""

from pathlib import Path

GUARDS = """
guards:
  - {metric: error_rate, worse_by_ratio: 1.25, worse_by_points: 0.01, severity: fail}
  - {metric: unavailable_rate, worse_by_points: 0.05, severity: fail}
"""

CAREFUL = f"""
schema: 1
match: {{endpoint: "*"}}
stages:
  - smoke:  {{requests: smoke/numbers.jsonl}}
  - mirror: {{percent: 50, shortest_minutes: 1, longest_minutes: 30}}
  - canary: {{weight: 30, shortest_minutes: 1, longest_minutes: 30}}
  - canary: {{weight: 60, shortest_minutes: 1, longest_minutes: 30}}
  - bake:   {{shortest_minutes: 1, longest_minutes: 30}}
  - retire: {{baseline: keep}}
{GUARDS}"""
"""Every kind of stage but approval, as fast as the evidence comes."""

UNMIRRORED = CAREFUL.replace("- mirror", "# - mirror")

SHORT = f"""
schema: 1
match: {{endpoint: "*"}}
stages:
  - canary: {{weight: 50, shortest_minutes: 2, longest_minutes: 30}}
{GUARDS}"""
"""One share, and then all traffic."""

STEADY = f"""
schema: 1
match: {{endpoint: "*"}}
ready_within_minutes: 2
stages:
  - canary: {{weight: 20, shortest_minutes: 600, longest_minutes: 700}}
  - canary: {{weight: 50, shortest_minutes: 600, longest_minutes: 700}}
  - bake:   {{shortest_minutes: 600, longest_minutes: 700}}
on_no_data: {{hold_minutes: 600, then: hold}}
{GUARDS}"""
"""Stays in each stage until a person moves it on."""

SMOKE = "".join(f'{{"body": {{"n": {n}}}}}\n' for n in (1, 2, 4, 5, 7))


def write_policies(folder: Path, **texts: str) -> None:
    """A folder of policies as it is deployed with the app."""
    (folder / "smoke").mkdir(parents=True, exist_ok=True)
    (folder / "smoke/numbers.jsonl").write_text(SMOKE)
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)
