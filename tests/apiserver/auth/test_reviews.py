"""Reviews and impersonation."""

from collections.abc import Sequence
from typing import Any

import pytest

from pybernetes.api.authentication.self_subject_review import SelfSubjectReview
from pybernetes.api.authentication.token_review import TokenReview, TokenReviewSpec
from pybernetes.api.authentication.user_info import UserInfo
from pybernetes.api.authorization.access_review import (
    LOCAL_SUBJECT_ACCESS_REVIEW,
    SELF_SUBJECT_ACCESS_REVIEW,
    SUBJECT_ACCESS_REVIEW,
    LocalSubjectAccessReview,
    NonResourceAttributes,
    ResourceAttributes,
    SelfSubjectAccessReview,
    SelfSubjectAccessReviewSpec,
    SubjectAccessReview,
    SubjectAccessReviewSpec,
)
from pybernetes.api.authorization.rules_review import SelfSubjectRulesReview, SelfSubjectRulesReviewSpec
from pybernetes.api.field import Errors
from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object, ObjectMeta
from pybernetes.apiserver.auth.bearer import InvalidToken, Recognized
from pybernetes.apiserver.auth.default_roles import default_objects
from pybernetes.apiserver.auth.impersonation import impersonate
from pybernetes.apiserver.auth.rbac import Rbac
from pybernetes.apiserver.auth.reviews import Reviews
from pybernetes.apiserver.types import User
from pybernetes.client.errors import BadRequest

ROOT = User("root", ("system:masters",), "u", {"k": ("v",)})
JOE = User("joe", ("system:authenticated",))


class Tokens:
    async def recognize(self, token: str, audiences: Sequence[str]) -> Recognized | None:
        if token == "expired":
            raise InvalidToken("service account token has expired")
        return Recognized(JOE, tuple(audiences)) if token == "good" else None


RBAC = Rbac(default_objects())
REVIEWS = Reviews(authorizer=RBAC, rbac=RBAC, tokens=Tokens(), audiences=("api",))
PODS = ResourceAttributes(verb="list", resource="pods", namespace="default")


async def ask(obj: Object, user: User = ROOT) -> Any:
    return (await REVIEWS.review(type(obj).__name__, obj, user)).status  # type: ignore[attr-defined]


async def test_access_reviews() -> None:
    own = SelfSubjectAccessReview(spec=SelfSubjectAccessReviewSpec(resource_attributes=PODS))
    status = await ask(own)
    assert status.allowed and "cluster-admin" in status.reason
    assert not (await ask(own, JOE)).allowed
    about = SubjectAccessReviewSpec(
        user="joe",
        groups=["system:authenticated"],
        non_resource_attributes=NonResourceAttributes(path="/api", verb="get"),
    )
    assert (await ask(SubjectAccessReview(spec=about))).allowed
    local = LocalSubjectAccessReview(spec=SubjectAccessReviewSpec(user="joe", resource_attributes=PODS))
    assert not (await ask(local)).allowed


RESOURCE: dict[str, Any] = {"resource_attributes": PODS}
BOTH: dict[str, Any] = {
    "resource_attributes": PODS,
    "non_resource_attributes": NonResourceAttributes(path="/", verb="get"),
}
ONE_OF = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
NO_USER = 'spec.user: Invalid value: "": at least one of user or group must be specified'


@pytest.mark.parametrize(
    ("kind", "obj", "text"),
    [
        (SELF_SUBJECT_ACCESS_REVIEW, SelfSubjectAccessReview(), f"spec: Invalid value: null: {ONE_OF}"),
        (
            SELF_SUBJECT_ACCESS_REVIEW,
            SelfSubjectAccessReview(spec=SelfSubjectAccessReviewSpec(**BOTH)),
            f'spec: Invalid value: {{"Path":"/","Verb":"get"}}: {ONE_OF}',
        ),
        (SUBJECT_ACCESS_REVIEW, SubjectAccessReview(spec=SubjectAccessReviewSpec(**RESOURCE)), NO_USER),
        (
            LOCAL_SUBJECT_ACCESS_REVIEW,
            LocalSubjectAccessReview(spec=SubjectAccessReviewSpec(user="x", **RESOURCE)),
            'spec.resourceAttributes.namespace: Invalid value: "default": must match metadata.namespace',
        ),
        (
            SUBJECT_ACCESS_REVIEW,
            SubjectAccessReview(metadata=ObjectMeta(name="a"), spec=SubjectAccessReviewSpec(groups=["g"], **RESOURCE)),
            'metadata: Invalid value: {"name":"a"}: must be empty',
        ),
    ],
)
def test_invalid_reviews(kind: Kind[Any], obj: Object, text: str) -> None:
    errors = Errors()
    kind.schema.validate(obj, errors)
    assert [str(error) for error in errors.all] == [text]


@pytest.mark.parametrize("obj", [TokenReview(), SelfSubjectRulesReview(), Object()])
async def test_bad_reviews(obj: Object) -> None:
    with pytest.raises(BadRequest):
        await ask(obj)


async def test_rules_review() -> None:
    status = await ask(SelfSubjectRulesReview(spec=SelfSubjectRulesReviewSpec(namespace="default")), JOE)
    assert not status.incomplete
    assert any("selfsubjectaccessreviews" in r.resources for r in status.resource_rules)
    assert any("/apis/*" in r.non_resource_urls for r in status.non_resource_rules)


async def test_who_am_i() -> None:
    info = (await ask(SelfSubjectReview())).user_info
    assert (info.username, info.groups, info.uid, info.extra) == ("root", ["system:masters"], "u", {"k": ["v"]})


async def test_token_reviews() -> None:
    good = await ask(TokenReview(spec=TokenReviewSpec(token="good")))
    assert good.authenticated and good.user.username == "joe" and good.audiences == ["api"]
    for token in ("expired", "unknown"):
        bad = await ask(TokenReview(spec=TokenReviewSpec(token=token)))
        assert not bad.authenticated and bad.user == UserInfo() and "invalid bearer token" in bad.error


def test_impersonation() -> None:
    headers = [
        ("Impersonate-User", "jane"),
        ("Impersonate-Group", "dev"),
        ("Impersonate-Group", "ops"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Extra-Acme%2Fteam", "red"),
        ("Impersonate-Extra-Acme%2Fteam", "blue"),
        ("Accept", "x"),
    ]
    result = impersonate(headers, ROOT)
    assert result is not None
    user, needed = result
    assert user == User("jane", ("dev", "ops", "system:authenticated"), "7", {"acme/team": ("red", "blue")})
    assert [(a.group, a.resource, a.subresource, a.name) for a in needed] == [
        ("", "users", "", "jane"),
        ("", "groups", "", "dev"),
        ("", "groups", "", "ops"),
        ("authentication.k8s.io", "uids", "", "7"),
        ("authentication.k8s.io", "userextras", "acme/team", "red"),
        ("authentication.k8s.io", "userextras", "acme/team", "blue"),
    ]
    assert all(a.verb == "impersonate" and a.user is ROOT for a in needed)


def test_impersonating_service_accounts_and_anonymous() -> None:
    user, needed = impersonate([("impersonate-user", "system:serviceaccount:dev:bot")], ROOT) or (ROOT, [])
    assert user.groups == ("system:serviceaccounts", "system:serviceaccounts:dev", "system:authenticated")
    assert [(a.resource, a.namespace, a.name) for a in needed] == [("serviceaccounts", "dev", "bot")]
    user, _ = impersonate([("impersonate-user", "system:anonymous")], ROOT) or (ROOT, [])
    assert user.groups == ("system:unauthenticated",)


def test_no_impersonation_and_an_incomplete_one() -> None:
    assert impersonate([("accept", "x")], ROOT) is None
    for header in ("impersonate-group", "impersonate-uid", "impersonate-extra-x"):
        with pytest.raises(BadRequest):
            impersonate([(header, "x")], ROOT)
