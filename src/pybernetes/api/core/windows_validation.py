"""Validation of the settings of Windows containers."""

import re

from pybernetes.api import names, rules
from pybernetes.api.core.security import WindowsSecurityContextOptions
from pybernetes.api.field import Errors, Path

MAX_GMSA_KIB = 64
MAX_DOMAIN = 256
MAX_USER = 104
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NETBIOS = re.compile(r"[^\\/:*?\"<>|.][^\\/:*?\"<>|]{0,14}")
_DNS_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_DNS = re.compile(rf"{_DNS_LABEL}(?:\.{_DNS_LABEL})*")
_BAD_IN_USER = re.compile(r"[\"/\\:;|=,+*?<>@\[\]]")
_DOTS_AND_SPACES = re.compile(r"[. ]+")


def validate_windows_options(options: WindowsSecurityContextOptions | None, path: Path, errors: Errors) -> None:
    """Credentials and the user."""
    if options is None:
        return
    if options.gmsa_credential_spec_name is not None:
        place = path / "gmsaCredentialSpecName"
        rules.follows(options.gmsa_credential_spec_name, names.dns_subdomain, place, errors)
    spec = options.gmsa_credential_spec
    if spec is not None:
        if not spec:
            errors.invalid(path / "gmsaCredentialSpec", spec, "gmsaCredentialSpec cannot be an empty string")
        elif len(spec.encode()) > MAX_GMSA_KIB * 1024:
            text = f"gmsaCredentialSpec size must be under {MAX_GMSA_KIB} KiB"
            errors.invalid(path / "gmsaCredentialSpec", spec, text)
    if options.run_as_user_name is not None:
        for message in user_name(options.run_as_user_name):
            errors.invalid(path / "runAsUserName", options.run_as_user_name, message)


def user_name(name: str) -> list[str]:
    """`USER` or `DOMAIN\\USER`."""
    if not name:
        return ["runAsUserName cannot be an empty string"]
    if _CONTROL.search(name):
        return ["runAsUserName cannot contain control characters"]
    if name.count("\\") > 1:
        return ["runAsUserName cannot contain more than one backslash"]
    domain, slash, user = name.rpartition("\\")
    found = []
    if len(domain) >= MAX_DOMAIN:
        found.append(f"runAsUserName's Domain length must be under {MAX_DOMAIN} characters")
    if slash and not _NETBIOS.fullmatch(domain) and not _DNS.fullmatch(domain):
        found.append("runAsUserName's Domain doesn't match the NetBios nor the DNS format")
    if not user:
        found.append("runAsUserName's User cannot be empty")
    elif len(user) > MAX_USER:
        found.append(f"runAsUserName's User length must not be longer than {MAX_USER} characters")
    if _DOTS_AND_SPACES.fullmatch(user):
        found.append("runAsUserName's User cannot contain only periods or spaces")
    if _BAD_IN_USER.search(user):
        found.append("runAsUserName's User cannot contain the following characters: \"/\\:;|=,+*?<>@[]")
    return found
