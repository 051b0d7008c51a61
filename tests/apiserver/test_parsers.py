"""Fuzzing of parsers: any input is accepted or refused with a defined error."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.apiserver import codec, media, options, requests
from pybernetes.apiserver.reading import ContinueToken
from pybernetes.apiserver.subresources import proxy
from pybernetes.client.errors import ApiError


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", "/api/v1/pods", {}, "list core/v1 pods"),
        ("GET", "/api/v1/pods", {"watch": "true"}, "watch core/v1 pods"),
        ("GET", "/api/v1/pods", {"watch": "false"}, "list core/v1 pods"),
        ("GET", "/api/v1/namespaces/d/pods/x", {}, "get core/v1 pods d/x"),
        ("GET", "/api/v1/namespaces/d/pods/x/log", {}, "get core/v1 pods/log d/x"),
        ("POST", "/apis/apps/v1/namespaces/d/deployments", {}, "create apps/v1 deployments d/"),
        ("PUT", "/api/v1/namespaces/d/finalize", {}, "update core/v1 namespaces/finalize d/d"),
        ("GET", "/api/v1/namespaces/d", {}, "get core/v1 namespaces d/d"),
        ("DELETE", "/api/v1/namespaces/d/pods", {}, "deletecollection core/v1 pods d/"),
        ("GET", "/api/v1/watch/pods", {}, "watch core/v1 pods"),
        ("GET", "/api/v1/nodes/n/proxy/a/b/", {}, "get core/v1 nodes/proxy /n + /a/b/"),
        ("GET", "/apis/apps/v1", {}, "get /apis/apps/v1"),
        ("GET", "/healthz/etcd", {}, "get /healthz/etcd"),
        ("GET", "/api/v1/../secrets", {}, "get /api/v1/../secrets"),
    ],
)
def test_paths(method: str, path: str, query: dict[str, str], expected: str) -> None:
    info = requests.parse(method, path, query)
    if not info.is_resource:
        found = f"{info.verb} {info.path}"
    else:
        named = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
        where = f" {info.namespace}/{info.name}" if info.namespace or info.name else ""
        rest = f" + {info.rest}" if info.rest else ""
        found = f"{info.verb} {info.group or 'core'}/{info.version} {named}{where}{rest}"
    assert found == expected


@given(st.text(max_size=60), st.dictionaries(st.sampled_from(["watch", "limit"]), st.text(max_size=5)))
def test_any_path(path: str, query: dict[str, str]) -> None:
    try:
        info = requests.parse("GET", "/" + path, query)
    except ApiError:
        return
    assert not info.is_resource or info.resource not in ("", ".", "..")


@given(st.text(max_size=80))
def test_any_accept_header(text: str) -> None:
    try:
        media.negotiate(text)
    except ApiError as error:
        assert error.code == 406


@given(st.text(max_size=80))
def test_any_continue_token(text: str) -> None:
    try:
        ContinueToken.decode(text)
    except ApiError as error:
        assert error.code == 400


def test_a_continue_token_survives() -> None:
    token = ContinueToken(v="meta.k8s.io/v1", rv=7, start="default/web\0")
    assert ContinueToken.decode(token.encode()) == token


_PARAMETERS = (
    "limit continue resourceVersion resourceVersionMatch timeoutSeconds sendInitialEvents allowWatchBookmarks "
    "dryRun fieldManager fieldValidation gracePeriodSeconds propagationPolicy orphanDependents"
)
_QUERY = st.dictionaries(
    st.sampled_from(list(filter(None, _PARAMETERS.split(" ")))),
    st.one_of(st.text(max_size=10), st.integers().map(str)),
)


@settings(max_examples=200)
@given(_QUERY, st.booleans())
def test_any_options(query: dict[str, str], watch: bool) -> None:
    for read in (
        lambda: options.list_options(query, watch=watch),
        lambda: options.write_options(query, [], kind="CreateOptions", user_agent="x"),
        lambda: options.delete_options(query, [], b"", ""),
    ):
        try:
            read()
        except ApiError as error:
            assert error.code in (400, 422)


@given(st.binary(max_size=100), st.sampled_from(["application/json", "application/yaml"]))
def test_any_body(body: bytes, kind: str) -> None:
    from pybernetes.api.core.config_map import KIND

    try:
        codec.object_from(codec.json_body(body, kind), KIND)
    except ApiError as error:
        assert error.code == 400


def test_the_revision_is_spliced_in_and_out() -> None:
    plain = b'{"apiVersion":"v1","kind":"X","metadata":{"name":"a","annotations":{"k":"\\"metadata\\":{"}}}'
    stamped = codec.stamp(plain, 12)
    assert b'"metadata":{"resourceVersion":"12","name"' in stamped
    assert codec.unstamped(stamped) == plain
    assert codec.restamp(stamped, 13) == codec.stamp(plain, 13)


@pytest.mark.parametrize(
    ("text", "parts"),
    [("web", ("", "web", "")), ("web:80", ("", "web", "80")), ("https:web:p", ("https", "web", "p"))],
)
def test_names_of_proxy_targets(text: str, parts: tuple[str, str, str]) -> None:
    assert proxy.split(text) == parts


@pytest.mark.parametrize("text", ["a:b:c", "a:b:c:d", "ftp:web:80"])
def test_invalid_proxy_names(text: str) -> None:
    with pytest.raises(ApiError):
        proxy.split(text)
