"""One NFD expression: the form of every operator, and each fault at its place."""

import pytest

from imagefit.errors import InvalidDocumentError
from imagefit.formats.expression import Allowance, read_expression, shown
from imagefit.formats.reading import problems_of
from imagefit.formats.syntax import Tree
from imagefit.model.requirement import Expression, Op


@pytest.mark.parametrize(
    ("tree", "expression", "words"),
    [
        pytest.param({}, Expression(Op.ANY), "any", id="no operator"),
        pytest.param({"op": "", "value": [], "type": ""}, Expression(Op.ANY), "any", id="empty operator"),
        pytest.param({"op": None, "value": None, "type": None}, Expression(Op.ANY), "any", id="nulls"),
        pytest.param({"op": "Exists"}, Expression(Op.EXISTS), "Exists", id="Exists"),
        pytest.param({"op": "DoesNotExist"}, Expression(Op.DOES_NOT_EXIST), "DoesNotExist", id="DoesNotExist"),
        pytest.param({"op": "IsTrue", "value": []}, Expression(Op.IS_TRUE), "IsTrue", id="IsTrue"),
        pytest.param({"op": "IsFalse"}, Expression(Op.IS_FALSE), "IsFalse", id="IsFalse"),
        pytest.param({"op": "In", "value": ["a", "b"]}, Expression(Op.IN, ("a", "b")), "In a, b", id="In"),
        pytest.param({"op": "NotIn", "value": ["a"]}, Expression(Op.NOT_IN, ("a",)), "NotIn a", id="NotIn"),
        pytest.param({"op": "In", "value": [True]}, Expression(Op.IN, ("true",)), "In true", id="boolean as text"),
        pytest.param(
            {"op": "InRegexp", "value": ["^a"]}, Expression(Op.IN_REGEXP, ("^a",)), "InRegexp ^a", id="regexp"
        ),
        pytest.param({"op": "Gt", "value": ["-5"]}, Expression(Op.GT, ("-5",)), "Gt -5", id="Gt"),
        pytest.param({"op": "Ge", "value": ["+5"]}, Expression(Op.GE, ("+5",)), "Ge +5", id="Ge"),
        pytest.param({"op": "Lt", "value": ["5"]}, Expression(Op.LT, ("5",)), "Lt 5", id="Lt"),
        pytest.param({"op": "Le", "value": ["005"]}, Expression(Op.LE, ("005",)), "Le 005", id="Le"),
        pytest.param({"op": "GtLt", "value": ["9", "10"]}, Expression(Op.GT_LT, ("9", "10")), "GtLt 9, 10", id="GtLt"),
        pytest.param({"op": "GeLe", "value": ["-1", "1"]}, Expression(Op.GE_LE, ("-1", "1")), "GeLe -1, 1", id="GeLe"),
        pytest.param(
            {"op": "Ge", "value": ["1.2.3"], "type": "version"},
            Expression(Op.GE, ("1.2.3",), versions=True),
            "Ge 1.2.3 as version",
            id="version",
        ),
        pytest.param(
            {"op": "GtLt", "value": ["1.9", "1.10"], "type": "version"},
            Expression(Op.GT_LT, ("1.9", "1.10"), versions=True),
            "GtLt 1.9, 1.10 as version",
            id="versions",
        ),
        pytest.param(
            {"op": "In", "value": ["1.0"], "type": "version"}, Expression(Op.IN, ("1.0",)), "In 1.0", id="type ignored"
        ),
    ],
)
def test_an_expression_is_read_and_shown(tree: Tree, expression: Expression, words: str) -> None:
    assert read_expression(tree, Allowance()) == expression
    assert shown(expression) == words


@pytest.mark.parametrize(
    ("tree", "place"),
    [
        pytest.param(None, "", id="null"),
        pytest.param(["Intel"], "", id="list, as NFD once had it"),
        pytest.param("Exists", "", id="text"),
        pytest.param({"op": "exists"}, "/op", id="operator in another case"),
        pytest.param({"op": "Equals"}, "/op", id="operator that is none"),
        pytest.param({"op": ["In"]}, "/op", id="operator that is a list"),
        pytest.param({"op": "In"}, "/value", id="In nothing"),
        pytest.param({"op": "NotIn", "value": []}, "/value", id="NotIn nothing"),
        pytest.param({"op": "InRegexp", "value": []}, "/value", id="InRegexp nothing"),
        pytest.param({"op": "In", "value": "Intel"}, "/value", id="value that is no list"),
        pytest.param({"op": "In", "value": ["a", None]}, "/value/1", id="value that is null"),
        pytest.param({"op": "In", "value": [["a"]]}, "/value/0", id="value that is a list"),
        pytest.param({"value": ["a"]}, "/value", id="any with a value"),
        pytest.param({"op": "Exists", "value": ["a"]}, "/value", id="Exists with a value"),
        pytest.param({"op": "DoesNotExist", "value": ["a"]}, "/value", id="DoesNotExist with a value"),
        pytest.param({"op": "IsTrue", "value": ["a"]}, "/value", id="IsTrue with a value"),
        pytest.param({"op": "IsFalse", "value": ["a", "b"]}, "/value", id="IsFalse with values"),
        pytest.param({"op": "Gt"}, "/value", id="Gt without a value"),
        pytest.param({"op": "Ge", "value": ["1", "2"]}, "/value", id="Ge with two values"),
        pytest.param({"op": "GtLt", "value": ["1"]}, "/value", id="GtLt with one value"),
        pytest.param({"op": "GeLe", "value": ["1", "2", "3"]}, "/value", id="GeLe with three values"),
        pytest.param({"op": "Lt", "value": ["a"]}, "/value/0", id="word for a number"),
        pytest.param({"op": "Lt", "value": [""]}, "/value/0", id="nothing for a number"),
        pytest.param({"op": "Le", "value": ["2.0"]}, "/value/0", id="fraction"),
        pytest.param({"op": "Le", "value": ["9223372036854775808"]}, "/value/0", id="more than 64 bits"),
        pytest.param({"op": "GtLt", "value": ["1", "b"]}, "/value/1", id="word for the second number"),
        pytest.param({"op": "GtLt", "value": ["2", "2"]}, "/value", id="equal bounds"),
        pytest.param({"op": "GeLe", "value": ["2", "2"]}, "/value", id="equal bounds that are included"),
        pytest.param({"op": "GeLe", "value": ["10", "9"]}, "/value", id="bounds in the wrong order"),
        pytest.param({"op": "GtLt", "value": ["1", "1.0.0"], "type": "version"}, "/value", id="equal versions"),
        pytest.param({"op": "Ge", "value": ["1.2.3.4"], "type": "version"}, "/value/0", id="version of four numbers"),
        pytest.param({"op": "Ge", "value": ["v1"], "type": "version"}, "/value/0", id="version with a letter"),
        pytest.param({"op": "Ge", "value": ["5.14-427"], "type": "version"}, "/value/0", id="version with a build"),
        pytest.param({"op": "Ge", "value": ["1."], "type": "version"}, "/value/0", id="version that ends in a dot"),
        pytest.param({"op": "Ge", "value": ["1"], "type": "semver"}, "/type", id="type that is none"),
        pytest.param({"op": "Ge", "value": ["1"], "type": {}}, "/type", id="type that is an object"),
        pytest.param({"op": "InRegexp", "value": ["a", "("]}, "/value/1", id="no regular expression"),
        pytest.param({"op": "InRegexp", "value": ["(?=a)"]}, "/value/0", id="lookahead"),
        pytest.param({"op": "In", "values": ["a"]}, "/values", id="misspelt key"),
    ],
)
def test_a_fault_has_its_place(tree: Tree, place: str) -> None:
    with pytest.raises(InvalidDocumentError) as caught:
        read_expression(tree, Allowance())
    assert [problem.place for problem in problems_of(caught.value)] == [place]


@pytest.mark.parametrize(
    ("values", "most", "on_names"),
    [
        pytest.param(["a"], 128, False, id="patterns on values"),
        pytest.param(["a" * 1024], 25, False, id="long patterns on values"),
        pytest.param(["a"], 8, True, id="patterns on names"),
    ],
)
def test_a_document_has_so_many_patterns(values: list[Tree], most: int, on_names: object) -> None:
    allowance = Allowance()
    for _ in range(most):
        read_expression({"op": "InRegexp", "value": values}, allowance, on_names=bool(on_names))
    with pytest.raises(InvalidDocumentError, match="too many regular expressions") as caught:
        read_expression({"op": "InRegexp", "value": values}, allowance, on_names=bool(on_names))
    assert caught.value.place == "/value/0"


def test_names_compared_as_numbers_cost_as_much_as_a_pattern() -> None:
    allowance = Allowance()
    for _ in range(8):
        read_expression({"op": "Gt", "value": ["1"]}, allowance, on_names=True)
    read_expression({"op": "In", "value": ["1"]}, allowance, on_names=True)
    with pytest.raises(InvalidDocumentError):
        read_expression({"op": "Gt", "value": ["1"]}, allowance, on_names=True)


def test_a_long_expression_is_shown_cut() -> None:
    assert len(shown(Expression(Op.IN, ("a" * 1000,)))) == 200
