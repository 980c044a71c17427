"""Expressions: what is allowed means what it means in Python; what is not is refused, quickly, and never run."""

import math
import sys

import pytest
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from trajstore.pipeline import Parameter, System
from trajstore.pipeline.dynamics.systems.expressions import FUNCTIONS, ExpressionError, parse, to_text

NAMES = ("x", "y", "mu")
PYTHON = {name: getattr(math, name, None) for name in FUNCTIONS} | {
    "pi": math.pi,
    "abs": abs,
    "sign": lambda x: (x > 0) - (x < 0),
}


class Tracked:
    """A number and a bound on what rounding may have done to it, in any order of the operations.

    Every leaf is in doubt by an ulp, so that a sum may be written another way round.
    """

    def __init__(self, value: float, error: float | None = None) -> None:
        if not isinstance(value, float) or not math.isfinite(value):
            raise ValueError
        self.value = value
        self.error = abs(value) * 2**-52 if error is None else error + abs(value) * 2**-52

    @staticmethod
    def of(other) -> "Tracked":
        return other if isinstance(other, Tracked) else Tracked(float(other))

    def __add__(self, other):
        other = Tracked.of(other)
        return Tracked(self.value + other.value, self.error + other.error)

    def __neg__(self):
        return Tracked(-self.value, self.error)

    def __pos__(self):
        return self

    def __mul__(self, other):
        other = Tracked.of(other)
        error = abs(self.value) * other.error + abs(other.value) * self.error + self.error * other.error
        return Tracked(self.value * other.value, error)

    def __truediv__(self, other):
        other = Tracked.of(other)
        if abs(other.value) <= 2 * other.error:
            raise ValueError
        return self * Tracked(1 / other.value, 2 * other.error / other.value**2)

    def __pow__(self, other):
        other = Tracked.of(other)
        value = self.value**other.value
        if self.value == 0:
            return Tracked(value, 0.0 if not self.error else math.inf)
        slope = abs(other.value * value / self.value) * self.error
        return Tracked(value, 2 * slope + abs(value * math.log(abs(self.value))) * other.error * 2)

    def __sub__(self, other):
        return self + (-Tracked.of(other))

    def __rsub__(self, other):
        return Tracked.of(other) - self

    def __rtruediv__(self, other):
        return Tracked.of(other) / self

    def __rpow__(self, other):
        return Tracked.of(other) ** self

    __radd__, __rmul__ = __add__, __mul__


def tracked_function(name: str):
    function = PYTHON[name]

    def call(argument) -> Tracked:
        argument = Tracked.of(argument)
        value = function(argument.value)
        reach = max(2 * argument.error, 1e-300)
        change = max(abs(function(argument.value + sign * reach) - value) for sign in (-1, 1))
        return Tracked(value, 2 * change)

    return call


LITERAL = st.sampled_from(
    ["0", "1", "2", "3", "7", "0.5", "0.1", ".25", "1.", "1e-3", "2.5e2", "1_000", "0x10", "0b11"]
)
LEAF = LITERAL | st.sampled_from([*NAMES, "t", "pi"])


def compound(inner):
    return (
        st.tuples(inner, st.sampled_from([" + ", "-", "*", " / "]), inner).map("".join)
        | st.tuples(inner, inner).map(lambda pair: f"({pair[0]}) * ({pair[1]})")
        | st.tuples(inner, inner).map(lambda pair: f"({pair[0]}) - ({pair[1]})")
        | inner.map(lambda text: f"-({text})")
        | inner.map(lambda text: f"-{text}")
        | inner.map(lambda text: f"+{text}")
        | st.tuples(inner, st.sampled_from(["2", "3", "-1", "0.5", "(1/3)", "-2", "0", "1"])).map(
            lambda pair: f"({pair[0]})**{pair[1]}"
        )
        | st.tuples(st.sampled_from(["x", "2", "t", "mu"]), inner).map(lambda pair: f"{pair[0]}**({pair[1]})")
        | st.tuples(st.sampled_from(sorted(FUNCTIONS)), inner).map(lambda pair: f"{pair[0]}({pair[1]})")
    )


EXPRESSION = st.recursive(LEAF, compound, max_leaves=7)
POSITIVE = st.floats(0.05, 4.0)
VALUE = POSITIVE | POSITIVE.map(lambda value: -value)


@pytest.mark.slow
@settings(max_examples=400)
@given(text=EXPRESSION, values=st.tuples(VALUE, VALUE, VALUE, VALUE))
def test_an_expression_has_the_value_that_it_has_in_python(text, values):
    named = dict(zip((*NAMES, "t"), map(Tracked, values), strict=True))
    functions = {name: tracked_function(name) for name in FUNCTIONS}
    try:
        expected = Tracked.of(eval(text, {"__builtins__": {}}, {**functions, "pi": math.pi, **named}))
    except (ValueError, ZeroDivisionError, OverflowError, TypeError):
        assume(False)  # no finite real number here
    assume(expected.error < 1e-6 * max(1.0, abs(expected.value)))
    try:
        system = System("test", {"x": text, "y": "0"}, {"mu": Parameter(1.0)}, {"x": (0, 1), "y": (0, 1)})
    except ExpressionError as error:
        if "exponent beyond 64" not in str(error):
            raise
        return
    for modules in ("math", "numpy"):
        function = system.function(list(system.vector_field), modules)
        x, y, mu, t = values
        found = function(t, [x, y], [mu])[0] if modules == "math" or "erf" not in text else None
        if found is not None:
            assert abs(float(found) - expected.value) <= 100 * expected.error + 1e-300, text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-x**2", -9.0),
        ("2**3**2", 512.0),
        ("2**-1", 0.5),
        ("-2**2", -4.0),
        ("(-2)**2", 4.0),
        ("6/3/2", 1.0),
        ("1 - 2 - 3", -4.0),
        ("1/3", 1 / 3),
        ("10/4", 2.5),
        ("0.1 + 0.2", 0.1 + 0.2),
        ("1e3*x", 3000.0),
        ("pi", math.pi),
        ("cos(pi)", -1.0),
        ("exp(1)", math.e),
        ("log(x)", math.log(3)),
        ("erf(x/3)", math.erf(1)),
        ("(x\n+ 1)", 4.0),
        ("  x  ", 3.0),
        ("2**0.5", math.sqrt(2)),
        ("x**0", 1.0),
    ],
)
def test_precedence_and_constants_are_pythons(text, value):
    assert float(parse(text, ["x"]).subs({"x": 3}).subs({parse("x", ["x"]): 3})) == pytest.approx(
        value, rel=1e-15
    )


HOSTILE = {
    "import": "__import__('os').system('touch {})",
    "import whole": "__import__('os')",
    "attribute": "x.__class__",
    "attribute of a call": "sin(x).free_symbols",
    "attribute chain": "().__class__.__base__.__subclasses__()",
    "power tower": "9**9**9",
    "power tower of floats": "9.0**9.0**9.0",
    "power of a power": "(9**64)**64",
    "large exponent": "x**65",
    "large negative exponent": "x**-65",
    "large exponent by function": "x**exp(10)",
    "infinite exponent": "x**exp(10000)",
    "huge exponent": "x**exp(exp(exp(100)))",
    "huge base": "exp(exp(exp(100)))**2",
    "huge number": "exp(exp(exp(exp(9)))) + x",
    "huge numbers": "sqrt(exp(exp(exp(100)))) - exp(exp(exp(100)))",
    "complex base": "acos(2)**2",
    "complex exponent": "x**acos(2)",
    "complex constant": "asin(2)*x",
    "another complex constant": "(acosh(0.5) + 1)*x",
    "factorial": "factorial(10**9)",
    "long integer": "9" * 4000,
    "longer integer": "9" * 9000,
    "too long": "x + " * 4000 + "x",
    "too large": "1e400",
    "deep parentheses": "(" * 3000 + "x" + ")" * 3000,
    "deep minus": "-" * 5000 + "x",
    "many minuses": "-" * 150 + "x",
    "many parentheses": "(1 + " * 150 + "x" + ")" * 150,
    "many calls": "sin(" * 150 + "x" + ")" * 150,
    "deep plus": "+" * 5000 + "x",
    "deep sum": "x+" * 4000 + "x",
    "deep powers": "**".join(["x"] * 3000),
    "deep calls": "sin(" * 1500 + "x" + ")" * 1500,
    "deep in a wrong call": "f(" + "-" * 90 + "x)",
    "deep in a wrong name": "nothing" + "+x" * 90,
    "lambda": "lambda: x",
    "list": "[x]",
    "tuple": "(x, x)",
    "set": "{x}",
    "dictionary": "{x: x}",
    "list comprehension": "[x for x in (1, 2)]",
    "generator": "sum(x for x in (1, 2))",
    "subscript": "x[0]",
    "string": "'x'",
    "bytes": "b'x'",
    "formatted string": "f'{x}'",
    "walrus": "(x := 1)",
    "condition": "x if x else 1",
    "comparison": "x < 1",
    "and": "x and 1",
    "not": "not x",
    "invert": "~x",
    "floor division": "x // 2",
    "remainder": "x % 2",
    "matrix product": "x @ x",
    "shift": "1 << 100000000",
    "bitwise or": "x | 1",
    "caret": "x^2",
    "true": "True",
    "none": "None",
    "ellipsis": "...",
    "complex": "1j",
    "statement": "x = 1",
    "two": "x; x",
    "import statement": "import os",
    "await": "await x",
    "yield": "(yield x)",
    "star": "*x",
    "function without a call": "sin",
    "no argument": "sin()",
    "two arguments": "sin(x, x)",
    "named argument": "sin(x=1)",
    "spread argument": "sin(*x)",
    "call of a call": "sin(x)(x)",
    "call of a name": "x(1)",
    "call of a number": "2(x)",
    "eval": "eval('1')",
    "open": "open('/etc/passwd')",
    "unknown name": "z",
    "name of SymPy": "oo",
    "imaginary unit": "I",
    "another name of SymPy": "Symbol",
    "dunder": "__builtins__",
    "nothing": "",
    "space": " \n\t ",
    "null byte": "x\0",
    "half": "x +",
    "open parenthesis": "(x",
    "comment": "# x",
    "bad characters": "x + €",
    "surrogate": "\udcff",
    "division by zero": "1/0",
    "division of a name by zero": "x/0",
    "zero by zero": "0/0",
    "negative power of zero": "0**-1",
    "pole": "log(0)",
    "imaginary": "sqrt(-1)*x",
    "imaginary power": "(-8)**(1/3)",
    "negative logarithm": "log(-2)",
    "pole of the tangent": "tan(pi/2)",
    "pole of the area tangent": "atanh(1)",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_anything_else_is_refused_quickly(kind, time_limit, tmp_path):
    text = HOSTILE[kind].replace("{}", str(tmp_path / "pwned"))
    with time_limit(5), pytest.raises(ExpressionError) as caught:
        parse(text, NAMES)
    assert len(str(caught.value)) < 1000
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "text",
    [
        "(" * 40 + "(7*x" + ")**64" * 40 + ")",
        "(" * 40 + "(x + 7" + ")**64" * 40 + ")",
        "(" * 40 + "(x/7" + ")**-64" * 40 + ")",
        "(" * 40 + "(exp(700)*x" + ")**64" * 40 + ")",
        "(" * 40 + "(0.1*x" + ")**63" * 40 + ")",
        "*".join(["(x + 1)**64"] * 90),
        "*".join(["9" * 300 + "*x"] * 30),
        "sin(" * 99 + "1e300*x" + ")" * 99,
        "sin(x*" * 60 + "x" + ")" * 60,
        "x**sin(" * 40 + "x" + ")" * 40,
        "**".join(["x"] * 60),
        "**".join(["sin(x)"] * 40),
        "tan(sin(1e308)) + cosh(erf(1e300))",
        "cos(" + "9" * 300 + ")*x",
    ],
    ids=range(14),
)
def test_a_text_made_to_grow_is_parsed_or_refused_quickly(text, time_limit):
    with time_limit(5):
        try:
            system = System("bomb", {"x": text}, {}, {"x": (0.0, 1.0)})
        except ExpressionError:
            return
        system.function(list(system.vector_field), "math")
        system.function(system.jacobian.tolist(), "math")


@pytest.mark.slow
@settings(max_examples=300)
@given(
    text=st.text(st.characters(codec="utf-8"), max_size=30)
    | st.text("x+-*/()., 019e[]{}'\"=:<\\\n#_t", max_size=30)
)
def test_any_text_is_an_expression_or_an_expression_error(text, time_limit):
    with time_limit(5):
        try:
            expression = parse(text, NAMES)
        except ExpressionError:
            return
    assert {str(symbol) for symbol in expression.free_symbols} <= {*NAMES, "t"}


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("x + foo(y)", "foo(y)"),
        ("x + nu*y", "nu"),
        ("x + y.real", "y.real"),
        ("x**99", "99"),
        ("x^2", r"\*\*"),
    ],
)
def test_the_error_quotes_what_is_wrong(text, quoted):
    with pytest.raises(ExpressionError, match=quoted.replace("(", r"\(").replace(")", r"\)")):
        parse(text, NAMES)


def test_an_unknown_name_is_told_the_known_ones():
    with pytest.raises(ExpressionError, match=r"nu.*x, y, mu, t, pi"):
        parse("nu*x", NAMES)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("abs(exp(mu**(-1.5)))", math.exp(0.3**-1.5)),
        ("abs(exp(sqrt(mu))*x)", math.exp(0.3**0.5) * 2),
        ("sign(exp(mu**0.5)*x)", -1),
        ("abs(2**(y**0.5*mu) - 3)", 3 - 2 ** (1.5**0.5 * 0.3)),
        ("abs(exp(log(mu)**3 + asin(mu)))", math.exp(math.log(0.3) ** 3 + math.asin(0.3))),
    ],
)
def test_no_part_of_an_expression_is_taken_for_complex(text, value):
    expression = parse(text, NAMES)
    assert parse(to_text(expression), NAMES) == expression
    at = {sympy.Symbol(name, real=True): number for name, number in zip(NAMES, (-2.0, 1.5, 0.3), strict=True)}
    assert float(expression.subs(at)) == pytest.approx(value, rel=1e-13)


def test_a_long_sum_of_terms_is_an_expression():
    # Many terms side by side are no nesting: a lattice or a kinetic scheme has them.
    text = " + ".join(f"{index}*x" for index in range(300))
    assert float(parse(text, ["x"]).subs({parse("x", ["x"]): 1})) == sum(range(300))


def test_the_stack_is_not_exhausted_by_what_is_allowed():
    limit = sys.getrecursionlimit()
    assert parse("sin(" * 50 + "x" + ")" * 50, ["x"]).free_symbols == {parse("x", ["x"])}
    assert sys.getrecursionlimit() == limit
