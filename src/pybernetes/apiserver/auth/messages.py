"""The messages of Forbidden responses."""

from pybernetes.apiserver.types import Attributes


def denial(attributes: Attributes) -> str:
    """`User "x" cannot list resource "pods" in API group "" in the namespace "default"`"""
    if not attributes.is_resource:
        return f'User "{attributes.user.name}" cannot {attributes.verb} path "{attributes.path}"'
    resource = f"{attributes.resource}/{attributes.subresource}" if attributes.subresource else attributes.resource
    where = f'in the namespace "{attributes.namespace}"' if attributes.namespace else "at the cluster scope"
    group = f'in API group "{attributes.group}"'
    return f'User "{attributes.user.name}" cannot {attributes.verb} resource "{resource}" {group} {where}'


def forbidden_message(attributes: Attributes, reason: str = "") -> str:
    """The message of a Forbidden status; it ends with the authorizer's reason."""
    text = denial(attributes) + (f": {reason}" if reason else "")
    if not attributes.is_resource:
        return f"forbidden: {text}"
    named = f"{attributes.resource}.{attributes.group}" if attributes.group else attributes.resource
    if attributes.name:
        named += f' "{attributes.name}"'
    return f"{named} is forbidden: {text}"
