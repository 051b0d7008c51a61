"""Answers reviews: may a user do this, who am I, is this token valid. Reviews are never stored."""

from collections.abc import Sequence
from dataclasses import replace

from pybernetes.api.authentication.self_subject_review import SelfSubjectReview, SelfSubjectReviewStatus
from pybernetes.api.authentication.token_review import TokenReview, TokenReviewStatus
from pybernetes.api.authentication.user_info import UserInfo
from pybernetes.api.authorization.access_review import (
    LocalSubjectAccessReview,
    NonResourceAttributes,
    ResourceAttributes,
    SelfSubjectAccessReview,
    SubjectAccessReview,
    SubjectAccessReviewSpec,
    SubjectAccessReviewStatus,
)
from pybernetes.api.authorization.rules_review import (
    NonResourceRule,
    ResourceRule,
    SelfSubjectRulesReview,
    SubjectRulesReviewStatus,
)
from pybernetes.api.meta import Object
from pybernetes.apiserver import errors
from pybernetes.apiserver.auth.bearer import InvalidToken, TokenAuthenticator
from pybernetes.apiserver.auth.rbac import Rbac
from pybernetes.apiserver.types import Attributes, Authorizer, User


class Reviews:
    """Answers reviews. `audiences` are the API server's own, for TokenReviews without audiences."""

    def __init__(
        self, *, authorizer: Authorizer, rbac: Rbac, tokens: TokenAuthenticator, audiences: Sequence[str] = ()
    ) -> None:
        self._authorizer = authorizer
        self._rbac = rbac
        self._tokens = tokens
        self._audiences = tuple(audiences)

    async def review(self, kind_name: str, obj: Object, user: User) -> Object:
        """The valid object with its status filled in. Raises BadRequest."""
        if isinstance(obj, TokenReview):
            obj.status = await self._token(obj)
        elif isinstance(obj, SelfSubjectReview):
            return _answer(obj, SelfSubjectReview(status=SelfSubjectReviewStatus(user_info=user_info(user))))
        elif isinstance(obj, SelfSubjectRulesReview):
            return _answer(obj, SelfSubjectRulesReview(status=self._rules(obj, user)))
        elif isinstance(obj, SelfSubjectAccessReview):
            obj.status = self._access(user, obj.spec.resource_attributes, obj.spec.non_resource_attributes)
        elif isinstance(obj, LocalSubjectAccessReview):
            obj.status = self._access(_subject(obj.spec), obj.spec.resource_attributes, None)
        elif isinstance(obj, SubjectAccessReview):
            spec = obj.spec
            obj.status = self._access(_subject(spec), spec.resource_attributes, spec.non_resource_attributes)
        else:
            raise errors.bad_request(f"{kind_name} is not a review")
        return obj

    async def _token(self, review: TokenReview) -> TokenReviewStatus:
        if not review.spec.token:
            raise errors.bad_request("token is required for TokenReview in authentication")
        try:
            found = await self._tokens.recognize(review.spec.token, tuple(review.spec.audiences) or self._audiences)
        except InvalidToken as error:
            return TokenReviewStatus(error=f"[invalid bearer token, {error}]")
        if found is None:
            return TokenReviewStatus(error="invalid bearer token")
        return TokenReviewStatus(authenticated=True, user=user_info(found.user), audiences=list(found.audiences))

    def _access(
        self, user: User, resource: ResourceAttributes | None, path: NonResourceAttributes | None
    ) -> SubjectAccessReviewStatus:
        decision = self._authorizer.authorize(_attributes(user, resource, path))
        return SubjectAccessReviewStatus(
            allowed=decision.allowed, denied=decision.denied or None, reason=decision.reason
        )

    def _rules(self, review: SelfSubjectRulesReview, user: User) -> SubjectRulesReviewStatus:
        if not review.spec.namespace:
            raise errors.bad_request("no namespace on request")
        rules, problems = self._rbac.rules_for(user, review.spec.namespace)
        status = SubjectRulesReviewStatus(incomplete=bool(problems), evaluation_error=", ".join(problems))
        for rule in rules:
            if rule.resources:
                status.resource_rules.append(
                    ResourceRule(
                        verbs=rule.verbs,
                        api_groups=rule.api_groups,
                        resources=rule.resources,
                        resource_names=rule.resource_names,
                    )
                )
            if rule.non_resource_urls:
                status.non_resource_rules.append(
                    NonResourceRule(verbs=rule.verbs, non_resource_urls=rule.non_resource_urls)
                )
        return status


def _answer(asked: Object, made: Object) -> Object:
    """An answer that repeats nothing of the question but its kind."""
    made.api_version, made.kind = asked.api_version, asked.kind
    return made


def user_info(user: User) -> UserInfo:
    """A user as reviews show it."""
    extra = {key: list(values) for key, values in user.extra.items()}
    return UserInfo(username=user.name, groups=list(user.groups), uid=user.uid, extra=extra)


def _subject(spec: SubjectAccessReviewSpec) -> User:
    extra = {key: tuple(values) for key, values in spec.extra.items()}
    return User(spec.user, tuple(spec.groups), spec.uid, extra)


def _attributes(user: User, resource: ResourceAttributes | None, path: NonResourceAttributes | None) -> Attributes:
    if resource is None:
        assert path is not None
        return Attributes(user=user, verb=path.verb, path=path.path, is_resource=False)
    requested = Attributes(
        user=user,
        verb=resource.verb,
        group=resource.group,
        version=resource.version,
        resource=resource.resource,
        subresource=resource.subresource,
        namespace=resource.namespace,
        name=resource.name,
    )
    if resource.field_selector is not None:
        selector = resource.field_selector
        terms = [f"{r.key}={r.values[0]}" for r in selector.requirements if r.operator == "In" and len(r.values) == 1]
        requested = replace(requested, field_selector=selector.raw_selector or ",".join(terms))
    if resource.label_selector is not None:
        requested = replace(requested, label_selector=resource.label_selector.raw_selector)
    return requested
