"""What a client is told when it may not do something."""

from pybernetes.apiserver.types import Attributes


def denial(attributes: Attributes) -> str:
    """`User "x" cannot list resource "pods" in API group "" in the namespace "default"`"""
    asked = attributes
    if not asked.is_resource:
        return f'User "{asked.user.name}" cannot {asked.verb} path "{asked.path}"'
    resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    return f'User "{asked.user.name}" cannot {asked.verb} resource "{resource}" in API group "{asked.group}" {where}'


def forbidden_message(attributes: Attributes, reason: str = "") -> str:
    """The whole message of the Forbidden status; an authorizer's reason comes last."""
    text = denial(attributes) + (f": {reason}" if reason else "")
    if not attributes.is_resource:
        return f"forbidden: {text}"
    named = f"{attributes.resource}.{attributes.group}" if attributes.group else attributes.resource
    if attributes.name:
        named += f' "{attributes.name}"'
    return f"{named} is forbidden: {text}"
