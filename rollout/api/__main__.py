"""`python -m rollout.api` writes the OpenAPI document."""

import sys

from rollout.api.routes import openapi_text

sys.stdout.write(openapi_text())
