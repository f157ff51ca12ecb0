"""What the scripts share: where the emulator is, and leave to speak http to it."""

# mypy: ignore-errors
# Its imports are in another environment.

import json
import os
import sys
import time
from typing import Any

from azure.core.credentials import AccessToken
from azure.core.pipeline.policies import SansIOHTTPPolicy

ASKED: dict[str, str] = json.loads(sys.argv[1])


class AllowHttp(SansIOHTTPPolicy):
    def on_request(self, request: Any) -> None:
        request.context.options["enforce_https"] = False


class AnyToken:
    def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken("test", int(time.time()) + 3600)


def tell(**facts: object) -> None:
    """The last line of standard output, which the test reads."""
    sys.stdout.write("\n" + json.dumps(facts, default=str) + "\n")


os.environ["AZUREML_DEV_URL_MFE"] = ASKED["url"]
