"""Label selectors: the text form of URLs (`app=web,tier in (a,b),!old`) and the form inside objects (LabelSelector).

Both become a `Selector`, a conjunction of requirements. The grammar is that of kubectl's -l flag:

    selector    = requirement { "," requirement }
    requirement = [ "!" ] KEY | KEY ( "=" | "==" | "!=" | ">" | "<" ) VALUE | KEY ( "in" | "notin" ) "(" values ")"
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from pybernetes.api import names
from pybernetes.api.field import show
from pybernetes.api.meta import LabelSelector

IN, NOT_IN, EXISTS, DOES_NOT_EXIST = "in", "notin", "exists", "!"
EQUALS, DOUBLE_EQUALS, NOT_EQUALS, GREATER, LESS = "=", "==", "!=", "gt", "lt"
_BINARY = (IN, NOT_IN, EQUALS, DOUBLE_EQUALS, NOT_EQUALS, GREATER, LESS)
_OBJECT_OPERATORS = {"In": IN, "NotIn": NOT_IN, "Exists": EXISTS, "DoesNotExist": DOES_NOT_EXIST}
_SYMBOLS = {
    IN: " in ",
    NOT_IN: " notin ",
    EQUALS: "=",
    DOUBLE_EQUALS: "==",
    NOT_EQUALS: "!=",
    GREATER: ">",
    LESS: "<",
}


class SelectorError(ValueError):
    """A selector that cannot be parsed; clients see the text."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """A condition on one label. Invariant: `values` is sorted and has no duplicates."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels meet this condition."""
        operator = self.operator
        value = labels.get(self.key)
        if operator in (EQUALS, IN, DOUBLE_EQUALS):
            return value is not None and value in self.values
        if operator in (NOT_EQUALS, NOT_IN):
            return value is None or value not in self.values
        if operator == EXISTS:
            return value is not None
        if operator == DOES_NOT_EXIST:
            return value is None
        return value is not None and self._compares(value)

    def _compares(self, value: str) -> bool:
        number, bound = _integer(value), _integer(self.values[0])
        if number is None or bound is None:
            return False
        return number > bound if self.operator == GREATER else number < bound

    def __str__(self) -> str:
        if self.operator == EXISTS:
            return self.key
        if self.operator == DOES_NOT_EXIST:
            return f"!{self.key}"
        values = ",".join(self.values)
        if self.operator in (IN, NOT_IN):
            values = f"({values})"
        return f"{self.key}{_SYMBOLS[self.operator]}{values}"


@dataclass(frozen=True, slots=True)
class Selector:
    """All requirements must hold. Without requirements it selects everything; with `nothing` it selects no object."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        if self.nothing:
            return False
        return all(requirement.matches(labels) for requirement in self.requirements)

    @property
    def everything(self) -> bool:
        """Whether every object is selected, whatever its labels."""
        return not self.nothing and not self.requirements

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))


EVERYTHING = Selector()
NOTHING = Selector(nothing=True)


def requirement(key: str, operator: str, values: Iterable[str] = (), path: str = "") -> Requirement:
    """A validated requirement. Raises SelectorError, which names the field below `path`."""
    distinct = tuple(sorted(set(values)))
    _check_key(key, f"{path}.key" if path else "key")
    values_path = f"{path}.values" if path else "values"
    message = _count_error(operator, distinct)
    if message:
        raise SelectorError(f"{values_path}: Invalid value: {show(list(distinct))}: {message}")
    if operator in (GREATER, LESS) and _integer(distinct[0]) is None:
        text = "for 'Gt', 'Lt' operators, the value must be an integer"
        raise SelectorError(f"{values_path}[0]: Invalid value: {show(distinct[0])}: {text}")
    for index, value in enumerate(distinct):
        messages = names.label_value(value)
        if messages:
            where = f"{values_path}[{index}][{key}]"
            raise SelectorError(f"{where}: Invalid value: {show(value)}: {'; '.join(messages)}")
    return Requirement(key, operator, distinct)


def _count_error(operator: str, values: tuple[str, ...]) -> str:
    count = len(values)
    if operator in (IN, NOT_IN):
        return "" if count else "for 'in', 'notin' operators, values set can't be empty"
    if operator in (EQUALS, DOUBLE_EQUALS, NOT_EQUALS):
        return "" if count == 1 else "exact-match compatibility requires one single value"
    if operator in (GREATER, LESS):
        return "" if count == 1 else "for 'Gt', 'Lt' operators, exactly one value is required"
    return "values set must be empty for exists and does not exist" if count else ""


def _check_key(key: str, path: str) -> None:
    messages = names.qualified_name(key)
    if messages:
        raise SelectorError(f"{path}: Invalid value: {show(key)}: {'; '.join(messages)}")


def _integer(text: str) -> int | None:
    """A decimal integer of at most 64 bits, parsed as Go's strconv.ParseInt does."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 19:
        return None
    number = int(text)
    return number if -(1 << 63) <= number < (1 << 63) else None


def from_map(labels: Mapping[str, str]) -> Selector:
    """The selector that requires each of these labels, as in ReplicationControllers and Services."""
    return Selector(tuple(Requirement(key, EQUALS, (labels[key],)) for key in sorted(labels)))


def from_label_selector(selector: LabelSelector | None) -> Selector:
    """None selects nothing, an empty selector everything. Raises SelectorError for invalid requirements."""
    if selector is None:
        return NOTHING
    found = [requirement(key, EQUALS, (value,)) for key, value in selector.match_labels.items()]
    for expression in selector.match_expressions:
        operator = _OBJECT_OPERATORS.get(expression.operator)
        if operator is None:
            raise SelectorError(f"{show(expression.operator)} is not a valid label selector operator")
        found.append(requirement(expression.key, operator, expression.values))
    return Selector(tuple(sorted(found, key=lambda r: r.key)))


@lru_cache(maxsize=1024)
def parse(text: str) -> Selector:
    """Parse a text such as `app=web,tier!=db`. Raises SelectorError."""
    return Selector(tuple(sorted(_Parser(text).selector(), key=lambda r: r.key)))


# --- the grammar

_TOKENS = ("==", "!=", "=", "!", "(", ")", ",", ">", "<")
_SPECIAL = frozenset("=!(),><")
_BLANK = " \t\r\n"
_END, _IDENTIFIER = "", "identifier"

Token = tuple[str, str]
"""(kind, text): a symbol is its own kind, words are identifiers, the end is ("", "")."""


def _scan(text: str) -> Iterator[Token]:
    position, end = 0, len(text)
    while position < end:
        if text[position] in _BLANK:
            position += 1
            continue
        if text[position] in _SPECIAL:
            symbol = next(token for token in _TOKENS if text.startswith(token, position))
            yield symbol, symbol
            position += len(symbol)
            continue
        start = position
        while position < end and text[position] not in _SPECIAL and text[position] not in _BLANK:
            position += 1
        yield _IDENTIFIER, text[start:position]
    yield _END, ""


class _Parser:
    """A recursive-descent parser; each method parses one rule of the grammar."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_scan(text))
        self._at = 0

    def _peek(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def selector(self) -> list[Requirement]:
        found: list[Requirement] = []
        token, text = self._peek()
        if token == _END:
            return found
        if token not in (_IDENTIFIER, "!"):
            raise SelectorError(f"found '{text}', expected: !, identifier, or 'end of string'")
        while True:
            try:
                found.append(self._requirement())
            except SelectorError as error:
                raise SelectorError(f"unable to parse requirement: {error}") from None
            token, text = self._next()
            if token == _END:
                return found
            if token != ",":
                raise SelectorError(f"found '{text}', expected: ',' or 'end of string'")
            token, text = self._peek()
            if token not in (_IDENTIFIER, "!"):
                raise SelectorError(f"found '{text}', expected: identifier after ','")

    def _requirement(self) -> Requirement:
        token, key = self._next()
        negated = token == "!"
        if negated:
            token, key = self._next()
        if token != _IDENTIFIER:
            raise SelectorError(f"found '{key}', expected: identifier")
        _check_key(key, "<nil>")
        if negated:
            return requirement(key, DOES_NOT_EXIST)
        if self._peek()[0] in (_END, ","):
            return requirement(key, EXISTS)
        operator = self._operator()
        values = self._values() if operator in (IN, NOT_IN) else [self._value()]
        return requirement(key, operator, values)

    def _operator(self) -> str:
        token, text = self._next()
        operator = (
            text if token == _IDENTIFIER and text in (IN, NOT_IN) else {">": GREATER, "<": LESS}.get(token, token)
        )
        if operator not in _BINARY:
            raise SelectorError(f"found '{text}', expected: {', '.join(_BINARY)}")
        return operator

    def _value(self) -> str:
        if self._peek()[0] in (_END, ","):
            return ""
        token, text = self._next()
        if token != _IDENTIFIER:
            raise SelectorError(f"found '{text}', expected: identifier")
        return text

    def _values(self) -> list[str]:
        """`(a,b)`; nothing between commas or parentheses is the empty value."""
        token, text = self._next()
        if token != "(":
            raise SelectorError(f"found '{text}' expected: '('")
        if self._peek()[0] not in (_IDENTIFIER, ",", ")"):
            raise SelectorError(f"found '{self._peek()[1]}', expected: ',', ')' or identifier")
        values: list[str] = []
        while True:
            token, text = self._peek()
            if token == _IDENTIFIER:
                self._next()
            elif token not in (",", ")"):
                raise SelectorError(f"found '{text}', expected: ',', or identifier")
            values.append(text if token == _IDENTIFIER else "")
            token, text = self._next()
            if token == ")":
                return values
            if token != ",":
                raise SelectorError(f"found '{text}', expected: ',' or ')'")
