"""Rules for names, keys and values: functions from a text to a list of errors (empty if the text is valid).

They are those of RFC 1123 and RFC 1035, as Kubernetes restricts them; clients match on the texts.
"""

import re
from random import Random

LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{LABEL}(\.{LABEL})*"
UNDERSCORE_LABEL = r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
UNDERSCORE_SUBDOMAIN = rf"{UNDERSCORE_LABEL}(\.{UNDERSCORE_LABEL})*"
LABEL_1035 = r"[a-z]([-a-z0-9]*[a-z0-9])?"
QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
LABEL_VALUE = f"({QUALIFIED})?"
CONFIG_KEY = r"[-._a-zA-Z0-9]+"
HEADER_NAME = r"[-A-Za-z0-9]+"
PERCENT = r"[0-9]+%"
CONDITION_REASON = r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?"
CIDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]*"

_LABEL_RE = re.compile(LABEL)
_SUBDOMAIN_RE = re.compile(SUBDOMAIN)
_UNDERSCORE_SUBDOMAIN_RE = re.compile(UNDERSCORE_SUBDOMAIN)
_LABEL_1035_RE = re.compile(LABEL_1035)
_QUALIFIED_RE = re.compile(QUALIFIED)
_LABEL_VALUE_RE = re.compile(LABEL_VALUE)
_CONFIG_KEY_RE = re.compile(CONFIG_KEY)
_HEADER_NAME_RE = re.compile(HEADER_NAME)
_PERCENT_RE = re.compile(PERCENT)
_CONDITION_REASON_RE = re.compile(CONDITION_REASON)
_PORT_CHARS_RE = re.compile(r"[-a-z0-9]+")

MAX_LABEL = 63
MAX_SUBDOMAIN = 253

SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""No vowels, so that no words appear by chance, and no characters that are easily confused."""
SUFFIX_LENGTH = 5
MAX_GENERATED_BASE = MAX_LABEL - SUFFIX_LENGTH

QUALIFIED_TEXT = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
)
EMPTY = "must be non-empty"


def regex_text(text: str, pattern: str, *examples: str) -> str:
    """A rule's text with examples and the pattern, in the format of Kubernetes."""
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{text} ({'e.g. ' + shown if examples else ''}regex used for validation is '{pattern}')"


LABEL_TEXT = regex_text(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character",
    LABEL,
    "my-name",
    "123-abc",
)
SUBDOMAIN_TEXT = regex_text(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character",
    SUBDOMAIN,
    "example.com",
)
UNDERSCORE_SUBDOMAIN_TEXT = regex_text(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must "
    "start and end with an alphanumeric character",
    UNDERSCORE_SUBDOMAIN,
    "example.com",
)
LABEL_1035_TEXT = regex_text(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character",
    LABEL_1035,
    "my-name",
    "abc-123",
)
QUALIFIED_NAME_TEXT = regex_text(QUALIFIED_TEXT, QUALIFIED, "MyName", "my.name", "123-abc")
LABEL_VALUE_TEXT = regex_text(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character",
    LABEL_VALUE,
    "MyValue",
    "my_value",
    "12345",
)
CONFIG_KEY_TEXT = regex_text(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    CONFIG_KEY,
    "key.name",
    "KEY_NAME",
    "key-name",
)
HEADER_TEXT = regex_text(
    "a valid HTTP header must consist of alphanumeric characters or '-'", HEADER_NAME, "X-Header-Name"
)
PERCENT_TEXT = regex_text(
    "a valid percent string must be a numeric string followed by an ending '%'", PERCENT, "1%", "93%"
)
CONDITION_REASON_TEXT = regex_text(
    "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric "
    "characters or '_,:', and must end with an alphanumeric character or '_'",
    CONDITION_REASON,
    "my_name",
    "MY_NAME",
    "MyName",
    "ReasonA,ReasonB",
    "ReasonA:ReasonB",
)
ENV_NAME_TEXT = "a valid environment variable name must consist only of printable ASCII characters other than '='"


def too_long(limit: int, unit: str = "bytes") -> str:
    """The text for a value of more than `limit` bytes."""
    return f"must be no more than {limit} {unit}"


def in_range(low: int, high: int) -> str:
    """The text for a number outside of a range."""
    return f"must be between {low} and {high}, inclusive"


#: What Kubernetes calls the bytes of DNS names.
_CHARACTERS = "characters"


def _check(text: str, limit: int, pattern: re.Pattern[str], message: str, unit: str = _CHARACTERS) -> list[str]:
    found = []
    if len(text) > limit:
        found.append(too_long(limit, unit))
    if not pattern.fullmatch(text):
        found.append(message)
    return found


def dns_label(text: str) -> list[str]:
    """RFC 1123 label: the names of namespaces, containers and volumes."""
    return _check(text, MAX_LABEL, _LABEL_RE, LABEL_TEXT)


def dns_subdomain(text: str) -> list[str]:
    """RFC 1123 subdomain: the names of most objects."""
    return _check(text, MAX_SUBDOMAIN, _SUBDOMAIN_RE, SUBDOMAIN_TEXT)


def dns_subdomain_with_underscores(text: str) -> list[str]:
    """Search domains of the resolver."""
    return _check(text, MAX_SUBDOMAIN, _UNDERSCORE_SUBDOMAIN_RE, UNDERSCORE_SUBDOMAIN_TEXT)


def dns_1035_label(text: str) -> list[str]:
    """RFC 1035 label: the names of Services."""
    return _check(text, MAX_LABEL, _LABEL_1035_RE, LABEL_1035_TEXT)


def path_segment(text: str) -> list[str]:
    """A segment of a URL path: the names of roles."""
    if text in (".", ".."):
        return [f"may not be '{text}'"]
    return [f"may not contain '{part}'" for part in ("/", "%") if part in text]


NAME_RULES = {
    "dns-subdomain": dns_subdomain,
    "dns-label": dns_label,
    "dns-1035-label": dns_1035_label,
    "path-segment": path_segment,
}


def qualified_name(text: str) -> list[str]:
    """`name` or `prefix/name`: keys of labels and annotations, names of resources, finalizers and conditions."""
    prefix, slash, name = text.partition("/")
    if not slash:
        prefix, name = "", text
    if "/" in name:
        return [
            f"a qualified name {QUALIFIED_NAME_TEXT} with an optional DNS subdomain prefix and '/' "
            "(e.g. 'example.com/MyName')"
        ]
    found = []
    if slash and not prefix:
        found.append(f"prefix part {EMPTY}")
    elif slash:
        found += [
            f"prefix part {message}"
            for message in _check(prefix, MAX_SUBDOMAIN, _SUBDOMAIN_RE, SUBDOMAIN_TEXT, "bytes")
        ]
    if not name:
        found.append(f"name part {EMPTY}")
    elif len(name) > MAX_LABEL:
        found.append(f"name part {too_long(MAX_LABEL)}")
    if not _QUALIFIED_RE.fullmatch(name):
        found.append(f"name part {QUALIFIED_NAME_TEXT}")
    return found


def label_value(text: str) -> list[str]:
    """The value of a label."""
    return _check(text, MAX_LABEL, _LABEL_VALUE_RE, LABEL_VALUE_TEXT, "bytes")


def config_key(text: str) -> list[str]:
    """A key of a ConfigMap or Secret, which can be mounted as a file."""
    return _check(text, MAX_SUBDOMAIN, _CONFIG_KEY_RE, CONFIG_KEY_TEXT) + _no_parent(text)


def _no_parent(text: str) -> list[str]:
    if text in (".", ".."):
        return [f"must not be '{text}'"]
    return ["must not start with '..'"] if text.startswith("..") else []


def env_name(text: str) -> list[str]:
    """The name of an environment variable."""
    if not text:
        return [f"environment variable name {EMPTY}"]
    return [] if text.isascii() and text.isprintable() and "=" not in text else [ENV_NAME_TEXT]


def header_name(text: str) -> list[str]:
    """The name of an HTTP header of a probe."""
    return [] if _HEADER_NAME_RE.fullmatch(text) else [HEADER_TEXT]


def condition_reason(text: str) -> list[str]:
    """The reason of a condition."""
    return [] if _CONDITION_REASON_RE.fullmatch(text) else [CONDITION_REASON_TEXT]


def percent(text: str) -> list[str]:
    """A percentage such as `25%`."""
    return [] if _PERCENT_RE.fullmatch(text) else [PERCENT_TEXT]


def port_name(text: str) -> list[str]:
    """The name of a port: an IANA service name (RFC 6335)."""
    found = []
    if len(text) > 15:
        found.append(too_long(15, _CHARACTERS))
    if not _PORT_CHARS_RE.fullmatch(text):
        found.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", text):
        found.append("must contain at least one letter (a-z)")
    if "--" in text:
        found.append("must not contain consecutive hyphens")
    if text and (text[0] == "-" or text[-1] == "-"):
        found.append("must not begin or end with a hyphen")
    return found


def port_number(port: int) -> list[str]:
    """A TCP, UDP or SCTP port."""
    return [] if 1 <= port <= 65535 else [in_range(1, 65535)]


def random_suffix(rng: Random) -> str:
    """The random suffix that is appended to metadata.generateName."""
    return "".join(rng.choice(SUFFIX_ALPHABET) for _ in range(SUFFIX_LENGTH))


def generate(base: str, rng: Random) -> str:
    """A name from metadata.generateName, truncated so that the result is a valid label."""
    return base[:MAX_GENERATED_BASE] + random_suffix(rng)
