"""The endpoints without a controller: in the name of whoever sits at this machine."""

from urllib.parse import urlsplit

from rollout.adapters.azure import identity
from rollout.adapters.azure.arm import ArmEndpoints
from rollout.adapters.azure.pipeline import ArmClient
from rollout.addresses import LOOPBACK


def endpoints_alone(arm_url: str) -> ArmEndpoints:
    here = urlsplit(arm_url).hostname in LOOPBACK
    credential = identity.EmulatorCredential() if here else identity.developer()
    return ArmEndpoints(ArmClient(arm_url, credential))
