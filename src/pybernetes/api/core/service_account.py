"""TODOC core/service_account.py"""

from typing import Annotated

from pybernetes.api.core.reference import LocalObjectReference, ObjectReference
from pybernetes.api.facts import ListMap
from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object


class ServiceAccount(Object, kw_only=True):
    """TODOC ServiceAccount"""

    automount_service_account_token: bool | None = None
    image_pull_secrets: list[LocalObjectReference] = []
    secrets: Annotated[list[ObjectReference], ListMap("name")] = []


KIND = Kind(
    group="",
    version="v1",
    name="ServiceAccount",
    plural="serviceaccounts",
    singular="serviceaccount",
    struct=ServiceAccount,
    short_names=("sa",),
    subresources=("token",),
)
