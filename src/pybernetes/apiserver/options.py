"""Query parameters as values. Pure; raises BadRequest and Invalid with kube-apiserver's messages."""

from collections.abc import Mapping
from dataclasses import dataclass

from pybernetes.api import codec as api_codec
from pybernetes.api import verb_options
from pybernetes.api.field import Errors, FieldError
from pybernetes.api.meta import DeleteOptions
from pybernetes.api.verb_options import PatchOptions, VerbOptions
from pybernetes.apiserver import codec, errors
from pybernetes.apiserver.requests import is_true

EXACT, NOT_OLDER = "Exact", "NotOlderThan"
FIELD_VALIDATIONS = ("", "Ignore", "Strict", "Warn")
PROPAGATIONS = ("Background", "Foreground", "Orphan")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """Options of list, watch and deletecollection."""

    label_selector: str = ""
    field_selector: str = ""
    limit: int = 0
    continue_token: str = ""
    resource_version: str = ""
    match: str = ""
    bookmarks: bool = False
    send_initial_events: bool | None = None
    timeout_seconds: int | None = None

    @property
    def revision(self) -> int:
        """The resourceVersion as a number; 0 when none was given."""
        return int(self.resource_version or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """Options of create, update and patch."""

    dry_run: bool = False
    field_manager: str = ""
    field_validation: str = ""
    force: bool = False
    is_apply: bool = False
    """server-side apply, which updates managedFields itself"""
    kind: str = "UpdateOptions"
    """CreateOptions, UpdateOptions or PatchOptions"""

    def as_object(self) -> VerbOptions:
        """The options as admission sees them."""
        found = verb_options.BY_KIND[self.kind](
            dry_run=["All"] if self.dry_run else [],
            field_manager=self.field_manager,
            field_validation=self.field_validation,
        )
        if isinstance(found, PatchOptions) and self.is_apply:
            found.force = self.force
        return found


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        number = int(text)
    except ValueError:
        raise errors.bad_request(
            f'unable to convert query parameter {name}: strconv.ParseInt: parsing "{text[:100]}": invalid syntax'
        ) from None
    if abs(number) >= 1 << 63:
        raise errors.bad_request(
            f'unable to convert query parameter {name}: strconv.ParseInt: parsing "{text[:100]}": value out of range'
        )
    return number


def list_options(query: Mapping[str, str], *, watch: bool) -> ListOptions:
    """Raises BadRequest or Invalid."""
    revision = query.get("resourceVersion", "")
    if revision and not (revision.isascii() and revision.isdigit() and len(revision) < 20):
        raise errors.invalid_options("ListOptions", _invalid_revision(revision))
    initial = query.get("sendInitialEvents")
    options = ListOptions(
        label_selector=query.get("labelSelector", ""),
        field_selector=query.get("fieldSelector", ""),
        limit=max(0, _number(query, "limit") or 0),
        continue_token=query.get("continue", ""),
        resource_version=revision,
        match=query.get("resourceVersionMatch", ""),
        bookmarks=is_true(query.get("allowWatchBookmarks")),
        send_initial_events=None if initial is None else is_true(initial),
        timeout_seconds=_number(query, "timeoutSeconds"),
    )
    found = Errors()
    (_check_watch if watch else _check_list)(options, found)
    if found:
        raise errors.invalid_options("ListOptions", found.items)
    return options


def _invalid_revision(revision: str) -> list[FieldError]:
    found = Errors()
    found.invalid("resourceVersion", revision[:100], f'strconv.ParseUint: parsing "{revision[:100]}": invalid syntax')
    return found.items


def _check_list(options: ListOptions, found: Errors) -> None:
    if options.send_initial_events is not None:
        found.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")
    if not options.match:
        return
    if not options.resource_version:
        found.forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided")
    if options.continue_token:
        found.forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided")
    if options.match not in (EXACT, NOT_OLDER):
        found.not_supported("resourceVersionMatch", options.match, [EXACT, NOT_OLDER, ""])
    if options.match == EXACT and options.resource_version == "0":
        found.forbidden("resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')


def _check_watch(options: ListOptions, found: Errors) -> None:
    if options.send_initial_events is None:
        if options.match:
            found.forbidden(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            )
        return
    if options.match != NOT_OLDER:
        found.forbidden(
            "resourceVersionMatch",
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        )


def write_options(
    query: Mapping[str, str], dry_run: list[str], *, kind: str, user_agent: str, is_apply: bool = False
) -> WriteOptions:
    """`dry_run` are all values of the parameter. The manager defaults to the first part of the User-Agent."""
    found = Errors()
    if is_apply and not query.get("fieldManager"):
        found.required("fieldManager", "is required for apply patch")
    if "force" in query and kind == "PatchOptions" and not is_apply:
        found.forbidden("force", "may not be specified for non-apply patch")
    _check_dry_run(dry_run, found)
    validation = query.get("fieldValidation", "")
    if validation not in FIELD_VALIDATIONS:
        found.not_supported("fieldValidation", validation, ["Ignore", "Strict", "Warn", ""])
    manager = query.get("fieldManager", "")
    if len(manager) > 128:
        found.too_long("fieldManager", 128)
    if not manager.isprintable():
        found.invalid("fieldManager", manager[:128], "should only contain printable characters")
    if found:
        raise errors.invalid_options(kind, found.items)
    return WriteOptions(
        dry_run=bool(dry_run),
        field_manager=manager or user_agent.partition("/")[0][:128] or "unknown",
        field_validation=validation,
        force=is_true(query.get("force")),
        is_apply=is_apply,
        kind=kind,
    )


def _check_dry_run(values: list[str], found: Errors) -> None:
    for value in values:
        if value != "All":
            found.not_supported("dryRun", [*values], ["All"])
            return


def delete_options(query: Mapping[str, str], dry_run: list[str], body: bytes, content_type: str) -> DeleteOptions:
    """From the body if there is one, else from the query."""
    if body.strip():
        options = _delete_body(codec.json_body(body, content_type))
    else:
        grace, orphan = _number(query, "gracePeriodSeconds"), query.get("orphanDependents")
        options = DeleteOptions(
            grace_period_seconds=grace,
            orphan_dependents=None if orphan is None else is_true(orphan),
            propagation_policy=query.get("propagationPolicy") or None,
        )
    if dry_run:
        options.dry_run = dry_run
    check_delete(options)
    return options


def _delete_body(body: bytes) -> DeleteOptions:
    try:
        return api_codec.decode(body, DeleteOptions)
    except api_codec.DecodeError as error:
        raise errors.bad_request(f"DeleteOptions cannot be decoded: {error}") from error


def check_delete(options: DeleteOptions) -> None:
    """Raises Invalid."""
    found = Errors()
    _check_dry_run(options.dry_run, found)
    if options.propagation_policy is not None and options.orphan_dependents is not None:
        found.invalid(
            "propagationPolicy",
            options.propagation_policy,
            "orphanDependents and deletionPropagation cannot be both set",
        )
    if options.propagation_policy is not None and options.propagation_policy not in PROPAGATIONS:
        found.not_supported(
            "propagationPolicy", options.propagation_policy, ["Foreground", "Background", "Orphan", "nil"]
        )
    if found:
        raise errors.invalid_options("DeleteOptions", found.items)
