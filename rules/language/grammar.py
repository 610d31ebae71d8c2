"""The grammar of rule conditions: a subset of CEL, the Common Expression Language, parsed into a small tree.

    or      = and { "||" and }
    and     = compare { "&&" compare }
    compare = sum [ ( "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" ) sum ]
    sum     = product { ( "+" | "-" ) product }
    product = unary { ( "*" | "/" ) unary }
    unary   = { "!" } member | { "-" } member
    member  = primary { "." name "(" or ")" }
    primary = literal | "e" "." name | "(" or ")" | "[" literal { "," literal } "]"
            | ( "size" | "has" ) "(" or ")"

Source: the CEL language definition, github.com/google/cel-spec, doc/langdef.md. Text, depth, lists and numbers are
bounded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MOST_TEXT: Final = 4000
MOST_DEPTH: Final = 32
MOST_LIST: Final = 1000
MOST_OPERATORS: Final = 256
"""A chain of operators is a tree as deep as it is long; this bounds every walk through it."""

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1

Constant = str | int | float | bool


class ExpressionError(ValueError):
    """A condition that cannot be used. `column` counts from 1."""

    def __init__(self, message: str, at: int) -> None:
        self.message = message
        self.column = at + 1
        super().__init__(f"{message} (column {self.column})")


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant."""

    value: Constant
    at: int


@dataclass(frozen=True, slots=True)
class Items:
    """A list of constants of one type."""

    values: tuple[Constant, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Field:
    """`e.name`."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Unary:
    """`!x` or `-x`."""

    operator: str
    operand: Node
    at: int


@dataclass(frozen=True, slots=True)
class Binary:
    """`x operator y`; `at` is where the operator stands."""

    operator: str
    left: Node
    right: Node
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """`name(target)` or `target.name(argument)`."""

    name: str
    target: Node
    argument: Node | None
    at: int


Node = Literal | Items | Field | Unary | Binary | Call

METHODS: Final = ("startsWith", "endsWith", "contains")
FUNCTIONS: Final = ("size", "has")
_COMPARISONS: Final = frozenset({"==", "!=", "<", "<=", ">", ">=", "in"})
_WORDS: Final = frozenset({"true", "false", "null", "in"})
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "`": "`", "?": "?"}
_NOT_HERE: Final = {
    "null": "an absent value is no value: ask has(e.field)",
    "matches": "regular expressions are left out; use startsWith, endsWith, contains",
    "int": "conversions are left out",
    "double": "conversions are left out",
    "string": "conversions are left out",
}

_CODE_POINT: Final = re.compile(r"(?![dD][89a-fA-F])[0-9a-fA-F]{4}")  # surrogates are no characters

_TOKEN: Final = re.compile(
    r"""(?P<space>[ \t\r\n]+|//[^\n]*)
    |(?P<double>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)
    |(?P<int>0[xX][0-9a-fA-F]+|\d+)
    |(?P<string>"(?:[^"\\\r\n]|\\.)*"|'(?:[^'\\\r\n]|\\.)*')
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<operator>&&|\|\||==|!=|<=|>=|[-+*/<>!().,\[\]])""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def parse(text: str) -> Node:
    """The tree of a condition.

    Raises:
        ExpressionError: it is not in the subset; says where and what would be.
    """
    if len(text) > MOST_TEXT:
        raise ExpressionError(f"is {len(text)} characters long, at most {MOST_TEXT} are allowed", MOST_TEXT)
    parser = _Parser(_tokens(text), len(text))
    node = parser.disjunction()
    parser.finish()
    return node


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ExpressionError(_unknown_character(text[at]), at)
        kind = match.lastgroup
        assert kind is not None
        if kind != "space":
            tokens.append(_Token(kind, match.group(), at))
        at = match.end()
    return tokens


def _unknown_character(char: str) -> str:
    if char in "\"'":
        return f"a string begins with {char} and does not end"
    hints = {
        "=": "equality is ==",
        "&": "and is &&",
        "|": "or is ||",
        "?": "?: is not in the subset",
        "%": "% is not in the subset",
    }
    return f"{char!r} has no meaning here" + (f"; {hints[char]}" if char in hints else "")


class _Parser:
    def __init__(self, tokens: list[_Token], end: int) -> None:
        self._tokens = tokens
        self._next = 0
        self._end = end
        self._depth = 0
        self._operators = 0

    def _peek(self) -> _Token:
        return self._tokens[self._next] if self._next < len(self._tokens) else _Token("end", "the end", self._end)

    def _take(self) -> _Token:
        token = self._peek()
        self._next += 1
        return token

    def _operator(self) -> _Token:
        token = self._take()
        self._count(token)
        return token

    def _count(self, token: _Token) -> None:
        self._operators += 1
        if self._operators > MOST_OPERATORS:
            raise ExpressionError(
                f"has more than {MOST_OPERATORS} operators; a list of values is asked with in", token.at
            )

    def _expect(self, text: str, instead: str) -> _Token:
        token = self._take()
        if token.text != text:
            raise ExpressionError(f"{text!r} is missing {instead}, found {token.text}", token.at)
        return token

    def finish(self) -> None:
        token = self._peek()
        if token.kind != "end":
            hint = "; chain comparisons with &&" if token.text in _COMPARISONS else ""
            raise ExpressionError(f"{token.text} is left over{hint}", token.at)

    def disjunction(self) -> Node:
        self._descend()
        node = self._conjunction()
        while self._peek().text == "||":
            at = self._operator().at
            node = Binary("||", node, self._conjunction(), at)
        self._depth -= 1
        return node

    def _descend(self) -> None:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise ExpressionError(f"is nested more than {MOST_DEPTH} deep", self._peek().at)

    def _conjunction(self) -> Node:
        node = self._comparison()
        while self._peek().text == "&&":
            at = self._operator().at
            node = Binary("&&", node, self._comparison(), at)
        return node

    def _comparison(self) -> Node:
        node = self._sum()
        token = self._peek()
        if token.text in _COMPARISONS:
            self._operator()
            node = Binary(token.text, node, self._sum(), token.at)
        return node

    def _sum(self) -> Node:
        node = self._product()
        while self._peek().text in {"+", "-"}:
            token = self._operator()
            node = Binary(token.text, node, self._product(), token.at)
        return node

    def _product(self) -> Node:
        node = self._unary()
        while self._peek().text in {"*", "/"}:
            token = self._operator()
            node = Binary(token.text, node, self._unary(), token.at)
        return node

    def _unary(self) -> Node:
        signs: list[_Token] = []
        while self._peek().text in {"!", "-"}:
            signs.append(self._take())
            if len(signs) > MOST_DEPTH:
                raise ExpressionError(f"has more than {MOST_DEPTH} signs in a row", signs[-1].at)
        if signs and signs[-1].text == "-" and self._peek().kind in {"int", "double"}:
            sign = signs.pop()
            node: Node = Literal(_number(self._take(), "-"), sign.at)
        else:
            node = self._member()
        for sign in reversed(signs):
            self._count(sign)
            node = Unary(sign.text, node, sign.at)
        return node

    def _member(self) -> Node:
        node = self._primary()
        while self._peek().text == ".":
            self._next += 1
            name = self._take()
            if name.text not in METHODS:
                hint = f"; {_NOT_HERE[name.text]}" if name.text in _NOT_HERE else f"; a string has {', '.join(METHODS)}"
                raise ExpressionError(f".{name.text} is not in the subset{hint}", name.at)
            self._expect("(", f"after {name.text}")
            node = Call(name.text, node, self.disjunction(), name.at)
            self._expect(")", f"after what {name.text} is given")
        return node

    def _primary(self) -> Node:
        token = self._take()
        if token.kind in {"int", "double"}:
            return Literal(_number(token), token.at)
        if token.kind == "string":
            return Literal(_string(token), token.at)
        if token.kind == "name":
            return self._named(token)
        if token.text == "(":
            node = self.disjunction()
            self._expect(")", "after the expression in brackets")
            return node
        if token.text == "[":
            return self._list(token)
        raise ExpressionError(f"a value is missing, found {token.text}", token.at)

    def _named(self, token: _Token) -> Node:
        if token.text in {"true", "false"}:
            return Literal(token.text == "true", token.at)
        if token.text == "e":
            self._expect(".", "after e: e.field is a value of what the rule looks at;")
            name = self._take()
            if name.kind != "name":
                raise ExpressionError(f"the name of a field is missing after 'e.', found {name.text}", name.at)
            if name.text in _WORDS:
                raise ExpressionError(f"e.{name.text} is no field: {name.text} is a word of the language", name.at)
            return Field(name.text, name.at)
        if token.text in FUNCTIONS:
            self._expect("(", f"after {token.text}")
            node = Call(token.text, self.disjunction(), None, token.at)
            self._expect(")", f"after what {token.text} is given")
            return node
        hint = _NOT_HERE.get(token.text, f"a field is written e.{token.text}, a text {token.text!r} in quotes")
        raise ExpressionError(f"{token.text!r} is not known; {hint}", token.at)

    def _list(self, start: _Token) -> Node:
        values: list[Constant] = []
        self._descend()
        while self._peek().text != "]":
            at = self._peek().at
            node = self._unary()
            if not isinstance(node, Literal):
                raise ExpressionError("a list holds constants only", at)
            if values and _family(node.value) != _family(values[0]):
                raise ExpressionError("a list holds constants of one type", at)
            values.append(node.value)
            if len(values) > MOST_LIST:
                raise ExpressionError(f"a list holds at most {MOST_LIST} constants", at)
            if self._peek().text != "]":
                self._expect(",", "between the constants of a list")
        self._next += 1
        self._depth -= 1
        return Items(tuple(values), start.at)


def _family(value: Constant) -> str:
    return "bool" if isinstance(value, bool) else "string" if isinstance(value, str) else "number"


def _number(token: _Token, sign: str = "") -> int | float:
    if token.kind == "double":
        value = float(sign + token.text)
        if value in {float("inf"), float("-inf")}:
            raise ExpressionError(f"{token.text} is beyond a double", token.at)
        return value
    number = int(sign + token.text, 0) if token.text[:2] in {"0x", "0X"} else int(sign + token.text)
    if not INT_MIN <= number <= INT_MAX:
        raise ExpressionError(f"{token.text} is beyond 64 bits", token.at)
    return number


def _string(token: _Token) -> str:
    body, out, at = token.text[1:-1], [], 0
    while at < len(body):
        char = body[at]
        at += 1
        if char != "\\":
            out.append(char)
            continue
        code = body[at]
        at += 1
        if code in _ESCAPES:
            out.append(_ESCAPES[code])
        elif code == "u" and _CODE_POINT.match(body, at):
            out.append(chr(int(body[at : at + 4], 16)))
            at += 4
        else:
            raise ExpressionError(
                f"\\{code} is no escape here; \\n \\t \\r \\\\ \\\" \\' and \\uXXXX are", token.at + at
            )
    return "".join(out)
