"""Rules for names and values."""

from random import Random

import pytest

from pybernetes.api import names


@pytest.mark.parametrize("text", ["a", "web-1", "1a", "a" * 63])
def test_labels(text: str) -> None:
    assert names.dns_label(text) == []


@pytest.mark.parametrize("text", ["", "-a", "a-", "A", "a.b", "a_b", "ä", "a\n", "a" * 64])
def test_invalid_labels(text: str) -> None:
    assert names.dns_label(text)


@pytest.mark.parametrize(("text", "good"), [("a.b", True), ("a..b", False), (".a", False), ("a" * 254, False)])
def test_subdomains(text: str, good: bool) -> None:
    assert (names.dns_subdomain(text) == []) is good


@pytest.mark.parametrize(("text", "good"), [("a1", True), ("1a", False), ("a.b", False)])
def test_1035_labels(text: str, good: bool) -> None:
    assert (names.dns_1035_label(text) == []) is good


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        ("a", []),
        ("A_b.c-9", []),
        ("example.com/a", []),
        ("a/b/c", ["a qualified name must consist of"]),
        ("/a", ["prefix part must be non-empty"]),
        ("A/a", ["prefix part a lowercase RFC 1123 subdomain"]),
        ("a/", ["name part must be non-empty", "name part must consist of"]),
        ("-", ["name part must consist of"]),
        ("a" * 64, ["name part must be no more than 63 bytes"]),
    ],
)
def test_qualified_names(text: str, complaints: list[str]) -> None:
    found = names.qualified_name(text)
    assert len(found) == len(complaints)
    assert all(f.startswith(c) for f, c in zip(found, complaints, strict=True))


@pytest.mark.parametrize(("text", "good"), [("", True), ("a", True), ("-", False), ("a b", False), ("a" * 64, False)])
def test_label_values(text: str, good: bool) -> None:
    assert (names.label_value(text) == []) is good


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        ("a:b", []),
        (".", ["may not be '.'"]),
        ("..", ["may not be '..'"]),
        ("a/%", ["may not contain '/'", "may not contain '%'"]),
    ],
)
def test_path_segments(text: str, complaints: list[str]) -> None:
    assert names.path_segment(text) == complaints


@pytest.mark.parametrize(("text", "good"), [("a.b", True), ("..", False), ("..a", False), (".a", True), ("a/b", False)])
def test_config_keys(text: str, good: bool) -> None:
    assert (names.config_key(text) == []) is good


@pytest.mark.parametrize(("text", "good"), [("A", True), ("1 a", True), ("a=b", False), ("", False), ("ä", False)])
def test_environment_variables(text: str, good: bool) -> None:
    assert (names.env_name(text) == []) is good


@pytest.mark.parametrize(
    ("text", "good"), [("http", True), ("80", False), ("a--b", False), ("-a", False), ("a" * 16, False)]
)
def test_port_names(text: str, good: bool) -> None:
    assert (names.port_name(text) == []) is good


def test_error_texts_are_those_of_kubernetes() -> None:
    assert names.dns_label("A") == [
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
        "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
    ]
    assert names.header_name("a b") == [
        "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for "
        "validation is '[-A-Za-z0-9]+')"
    ]


def test_generated_names() -> None:
    rng = Random(1)
    made = {names.generate("web-", rng) for _ in range(200)}
    assert len(made) == 200
    assert all(names.dns_label(name) == [] and len(name) == 9 for name in made)
    assert len(names.generate("x" * 80, rng)) == 63
    assert set(names.random_suffix(rng)) <= set("bcdfghjklmnpqrstvwxz2456789")
