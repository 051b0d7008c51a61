"""The paths of OpenAPI: the requests of each kind, with their query parameters.

kubectl consults them before it uses server-side validation or a dry run. Operations are built for v3; `as_v2` converts
them.
"""

from collections.abc import Mapping
from typing import Any

from pybernetes.api import meta
from pybernetes.api.kind import Kind
from pybernetes.api.kinds import BY_NAME
from pybernetes.api.subresource import Subresource
from pybernetes.apiserver.schema.definitions import Definitions, gvk
from pybernetes.apiserver.schema.discovery import body_kind

Schema = dict[str, Any]
Endpoint = Subresource[Any] | None
"""a subresource, or the object itself"""

MEDIA = ("application/json", "application/yaml")
STRATEGIC = "application/strategic-merge-patch+json"
PATCH_MEDIA = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    STRATEGIC,
)
PATCH = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch"

_STRING, _BOOLEAN, _INTEGER = {"type": "string"}, {"type": "boolean"}, {"type": "integer"}
#: Query parameters: name -> (schema, description).
PARAMETERS: Mapping[str, tuple[Schema, str]] = {
    "allowWatchBookmarks": (_BOOLEAN, "Whether the watch may send bookmarks."),
    "command": (_STRING, "The command to run; repeat the parameter for each argument."),
    "container": (_STRING, "The container; needed when the pod has several."),
    "continue": (_STRING, "The token with which a list goes on after its last page."),
    "dryRun": (_STRING, "With All, everything is done but the writing."),
    "fieldManager": (_STRING, "The name of who makes this change, as it stands in managedFields."),
    "fieldSelector": (_STRING, "Only objects with these field values."),
    "fieldValidation": (_STRING, "What is done about unknown and duplicate fields: Ignore, Warn or Strict."),
    "follow": (_BOOLEAN, "Whether to go on with the log as it is written."),
    "force": (_BOOLEAN, "Whether an apply takes fields from other managers."),
    "gracePeriodSeconds": (_INTEGER, "Seconds until the object is deleted; 0 means at once."),
    "ignoreStoreReadErrorWithClusterBreakingPotential": (_BOOLEAN, "Whether to delete what can't be decoded."),
    "insecureSkipTLSVerifyBackend": (_BOOLEAN, "Whether the node's certificate is not checked."),
    "labelSelector": (_STRING, "Only objects with these labels."),
    "limit": (_INTEGER, "How many objects at most; the answer says how to go on."),
    "limitBytes": (_INTEGER, "How many bytes of the log at most."),
    "orphanDependents": (_BOOLEAN, "Whether dependents stay; propagationPolicy has replaced it."),
    "path": (_STRING, "The path of the request that is passed on."),
    "ports": (_INTEGER, "The ports to forward."),
    "pretty": (_STRING, "Whether the answer is indented."),
    "previous": (_BOOLEAN, "Whether to read the log of the container that ended before this one."),
    "propagationPolicy": (_STRING, "What becomes of dependents: Orphan, Background or Foreground."),
    "resourceVersion": (_STRING, "The revision to read at."),
    "resourceVersionMatch": (_STRING, "How resourceVersion is meant: Exact or NotOlderThan."),
    "sendInitialEvents": (_BOOLEAN, "Whether the watch begins with what is there already."),
    "sinceSeconds": (_INTEGER, "How old the first line of the log may be."),
    "sinceTime": (_STRING, "When the log begins."),
    "stderr": (_BOOLEAN, "Whether to connect standard error."),
    "stdin": (_BOOLEAN, "Whether to connect standard input."),
    "stdout": (_BOOLEAN, "Whether to connect standard output."),
    "stream": (_STRING, "Which stream of the log: All, Stdout or Stderr."),
    "tailLines": (_INTEGER, "How many lines from the end of the log."),
    "timeoutSeconds": (_INTEGER, "How long a list or watch may take."),
    "timestamps": (_BOOLEAN, "Whether each line of the log begins with its time."),
    "tty": (_BOOLEAN, "Whether to connect a terminal."),
    "watch": (_BOOLEAN, "Whether to go on with changes instead of returning the list."),
}
_CREATE = ("dryRun", "fieldManager", "fieldValidation")
_LIST = (
    "allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit", "resourceVersion",
    "resourceVersionMatch", "sendInitialEvents", "timeoutSeconds", "watch",
)  # fmt: skip
_DELETE = (
    "dryRun", "gracePeriodSeconds", "ignoreStoreReadErrorWithClusterBreakingPotential", "orphanDependents",
    "propagationPolicy",
)  # fmt: skip
_CONNECT: Mapping[str, tuple[str, ...]] = {
    "exec": ("command", "container", "stderr", "stdin", "stdout", "tty"),
    "attach": ("container", "stderr", "stdin", "stdout", "tty"),
    "portforward": ("ports",),
    "proxy": ("path",),
}
_LOG = (
    "container", "follow", "insecureSkipTLSVerifyBackend", "limitBytes", "pretty", "previous", "sinceSeconds",
    "sinceTime", "stream", "tailLines", "timestamps",
)  # fmt: skip

#: verb -> (method, x-kubernetes-action, operation's name, query parameters)
_COLLECTION: Mapping[str, tuple[str, str, str, tuple[str, ...]]] = {
    "list": ("get", "list", "list", _LIST),
    "create": ("post", "post", "create", _CREATE),
    "deletecollection": ("delete", "deletecollection", "deleteCollection", tuple(sorted({*_LIST, *_DELETE}))),
}
_ITEM: Mapping[str, tuple[str, str, str, tuple[str, ...]]] = {
    "get": ("get", "get", "read", ()),
    "update": ("put", "put", "replace", _CREATE),
    "patch": ("patch", "patch", "patch", (*_CREATE, "force")),
    "delete": ("delete", "delete", "delete", _DELETE),
}


def paths_of(kind: Kind[Any], definitions: Definitions) -> dict[str, Schema]:
    """Every path of a kind and its operations."""
    maker = _Maker(kind, definitions)
    base, item = kind.path("{namespace}"), kind.path("{namespace}", "{name}")
    paths = {base: maker.operations(_COLLECTION, None, kind.namespaced, False)}
    if set(kind.verbs) & set(_ITEM):
        paths[item] = maker.operations(_ITEM, None, kind.namespaced, True)
    if kind.namespaced and "list" in kind.verbs:
        everywhere = maker.operations({"list": _COLLECTION["list"]}, None, False, False)
        everywhere["get"]["operationId"] += "ForAllNamespaces"
        paths[kind.path()] = everywhere
    for each in kind.subresources:
        paths[f"{item}/{each.name}"] = maker.subresource(each)
    return {path: value for path, value in paths.items() if set(value) - {"parameters"}}


class _Maker:
    """Makes the operations of one kind."""

    def __init__(self, kind: Kind[Any], definitions: Definitions) -> None:
        self.kind = kind
        self.definitions = definitions
        group = kind.group.partition(".")[0] or "core"
        self.tag = f"{group}_{kind.version}"
        self.words = f"{group.capitalize()}{kind.version.capitalize()}"

    def operations(
        self,
        table: Mapping[str, tuple[str, str, str, tuple[str, ...]]],
        sub: Endpoint,
        namespaced: bool,
        item: bool,
    ) -> Schema:
        """The operations for the verbs of the kind or subresource, with the parameters of the path."""
        verbs = sub.verbs if sub is not None else self.kind.verbs
        value: Schema = {}
        for verb, (method, action, word, query) in table.items():
            if verb in verbs:
                value[method] = self._operation(method, action, word, query, sub, namespaced)
        value["parameters"] = _path_parameters(namespaced, item)
        return value

    def subresource(self, sub: Subresource[Any]) -> Schema:
        """The operations on a subresource."""
        if sub.name in _CONNECT:
            return self._connect(sub)
        if sub.verbs == ("create",):
            table: Mapping[str, tuple[str, str, str, tuple[str, ...]]] = {"create": _COLLECTION["create"]}
        else:
            table = {"get": ("get", "get", "read", _LOG if sub.name == "log" else ()), **{
                verb: _ITEM[verb] for verb in ("update", "patch")
            }}  # fmt: skip
        return self.operations(table, sub, self.kind.namespaced, True)

    def _connect(self, sub: Subresource[Any]) -> Schema:
        name, body = sub.name, body_kind(self.kind, sub)
        methods = {"create": "post", "delete": "delete", "get": "get", "patch": "patch", "update": "put"}
        value: Schema = {}
        for verb in sub.verbs:
            method = methods[verb]
            value[method] = {
                "tags": [self.tag],
                "operationId": f"connect{self.words}{method.capitalize()}{self._where()}{self.kind.name}{name.title()}",
                "parameters": [_query(p) for p in _CONNECT[name]],
                "responses": {"200": {"description": "OK", "content": {"*/*": {"schema": _STRING}}}},
                "x-kubernetes-action": "connect",
                "x-kubernetes-group-version-kind": gvk(*body),
            }
        value["parameters"] = _path_parameters(self.kind.namespaced, True)
        return value

    def _where(self) -> str:
        return "Namespaced" if self.kind.namespaced else ""

    def _operation(
        self,
        method: str,
        action: str,
        word: str,
        query: tuple[str, ...],
        sub: Endpoint,
        namespaced: bool,
    ) -> Schema:
        body = body_kind(self.kind, sub)
        name = sub.name if sub is not None else ""
        where = "Namespaced" if namespaced else ""
        operation: Schema = {
            "tags": [self.tag],
            "operationId": f"{word}{self.words}{where}{self.kind.name}{name.title()}",
            "parameters": [_query(name) for name in sorted({*query, "pretty"})],
            "responses": self._responses(method, action, sub),
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": gvk(*body),
        }
        content = self._body(method, sub)
        if content:
            operation["requestBody"] = content
        return operation

    def _ref(self, sub: Endpoint) -> Schema:
        """A reference to the kind of the bodies."""
        if sub is None or sub.body is None:
            return self.definitions.kind_ref(self.kind)
        return self.definitions.kind_ref(BY_NAME.get((sub.body.api_version, sub.body.name), self.kind))

    def _body(self, method: str, sub: Endpoint) -> Schema | None:
        if method == "patch":
            self.definitions.found.setdefault(PATCH, {"type": "object", "description": "A patch of an object."})
            ref = {"$ref": self.definitions.ref(meta.DeleteOptions)["$ref"].rpartition("/")[0] + f"/{PATCH}"}
            strategic = self.kind.schema.strategic_merge
            forms = [media for media in PATCH_MEDIA if strategic or media != STRATEGIC]
            return {"content": {media: {"schema": ref} for media in forms}, "required": True}
        if method == "delete":
            return {"content": {"*/*": {"schema": self.definitions.ref(meta.DeleteOptions)}}}
        if method in ("post", "put"):
            return {"content": {"*/*": {"schema": self._ref(sub)}}, "required": True}
        return None

    def _responses(self, method: str, action: str, sub: Endpoint) -> Schema:
        if sub is not None and sub.raw:
            answer: Schema = {"text/plain": {"schema": _STRING}}
        elif action == "list":
            answer = {media: {"schema": self.definitions.list_ref(self.kind)} for media in MEDIA}
        elif action == "deletecollection" or (action == "delete" and not self.kind.returns_deleted):
            answer = {media: {"schema": self.definitions.ref(meta.Status)} for media in MEDIA}
        else:
            answer = {media: {"schema": self._ref(sub)} for media in MEDIA}
        codes = {"post": ("200", "201", "202"), "put": ("200", "201"), "patch": ("200", "201")}.get(method, ("200",))
        texts = {"200": "OK", "201": "Created", "202": "Accepted"}
        responses = {code: {"description": texts[code], "content": answer} for code in codes}
        return {**responses, "401": {"description": "Unauthorized"}}


def _query(name: str) -> Schema:
    schema, text = PARAMETERS[name]
    return {"name": name, "in": "query", "description": text, "schema": {**schema, "uniqueItems": True}}


def _path_parameters(namespaced: bool, item: bool) -> list[Schema]:
    names = (["name"] if item else []) + (["namespace"] if namespaced else [])
    texts = {"name": "The name of the object.", "namespace": "The namespace of the object."}
    return [
        {"name": n, "in": "path", "required": True, "description": texts[n], "schema": {**_STRING, "uniqueItems": True}}
        for n in names
    ]


def as_v2(value: Schema) -> Schema:
    """The operations of a path in OpenAPI v2."""
    return {
        key: [_parameter_v2(p) for p in part] if key == "parameters" else _operation_v2(part)
        for key, part in value.items()
    }


def _parameter_v2(parameter: Schema) -> Schema:
    rest = {k: v for k, v in parameter.items() if k != "schema"}
    return {**rest, **parameter["schema"]}


def _operation_v2(operation: Schema) -> Schema:
    parameters = [_parameter_v2(p) for p in operation["parameters"]]
    body = operation.get("requestBody")
    if body:
        schema = next(iter(body["content"].values()))["schema"]
        required = {"required": True} if body.get("required") else {}
        parameters.insert(0, {"name": "body", "in": "body", **required, "schema": schema})
    return {
        **{k: v for k, v in operation.items() if k not in ("requestBody", "parameters", "responses")},
        "consumes": list(body["content"]) if body else ["*/*"],
        "produces": [*MEDIA],
        "schemes": ["https"],
        "parameters": parameters,
        "responses": {code: _answer_v2(answer) for code, answer in operation["responses"].items()},
    }


def _answer_v2(answer: Schema) -> Schema:
    content = answer.get("content")
    if not content:
        return {"description": answer["description"]}
    return {"description": answer["description"], "schema": next(iter(content.values()))["schema"]}
