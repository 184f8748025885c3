"""JSON Schemas of the dialects, for editors: shapes and words, made from the same tables that reading uses.

Knows how each dialect looks to JSON Schema (draft 2020-12). Leaves to the dialects what a schema cannot say: ranges,
references, versions. ``make docs`` writes them to ``src/imagefit/schemas``, where the package ships them.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from imagefit.formats.vocabulary import labels
from imagefit.model.facts import NFD_FEATURES
from imagefit.model.requirement import Op

Schema = dict[str, Any]

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_SCALAR: Final[Schema] = {"type": ["string", "number", "boolean"]}
_TEXT: Final[Schema] = {"type": "string"}
_NUMBER_TEXT: Final = r"^[+-]?[0-9]{1,9}$"
_SCORE: Final[Schema] = {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": _NUMBER_TEXT}]}
_WORDS: Final[Schema] = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]}
_ATTRIBUTES: Final[Schema] = {"type": "object", "additionalProperties": _SCALAR}
_VERSIONED: Final[Schema] = {
    "type": "object",
    "properties": {"version": _SCALAR, "annotations": _ATTRIBUTES, "attributes": _ATTRIBUTES},
    "anyOf": [{"required": ["annotations"]}, {"required": ["attributes"]}],
}
_GROUP: Final[Schema] = {"anyOf": [_ATTRIBUTES, _VERSIONED]}
_GROUP_NAME: Final = r"^[^.]+(\.[^.]+)+$"
_NO_VALUE: Final = (Op.ANY, Op.EXISTS, Op.DOES_NOT_EXIST, Op.IS_TRUE, Op.IS_FALSE)
_ONE_VALUE: Final = (Op.GT, Op.GE, Op.LT, Op.LE)
_TWO_VALUES: Final = (Op.GT_LT, Op.GE_LE)
_SOME_VALUES: Final = (Op.IN, Op.NOT_IN, Op.IN_REGEXP)


def schema_of(dialect: str) -> Schema:
    """Return the JSON Schema of a dialect.

    Args:
        dialect: one of ``SCHEMAS``.

    Raises:
        KeyError: there is no such dialect.
    """
    return {"$schema": _DRAFT, "$id": f"urn:imagefit:schema:{dialect}", **SCHEMAS[dialect]()}


def _object(required: tuple[str, ...], properties: Mapping[str, Schema], *, more: bool | Schema = True) -> Schema:
    return {
        "type": "object",
        "required": list(required),
        "properties": dict(properties),
        "additionalProperties": more,
    }


def _list(items: Schema, least: int = 0) -> Schema:
    return {"type": "array", "items": items} | ({"minItems": least} if least else {})


def _flat_sets() -> Schema:
    exact = {label: _SCALAR | {"description": asks} for label, asks in labels() if not label.endswith(".")}
    prefixed = {
        f"^{label.replace('.', '[.]')}.+": _SCALAR | {"description": asks}
        for label, asks in labels()
        if label.endswith(".")
    }
    one: Schema = _object(
        (),
        {
            "compatibility-score": _SCORE | {"description": "the author's preference; the highest that holds counts"},
            "oci.compatibility-score": _SCORE,
            "tags": _WORDS,
            "description": _TEXT,
            **exact,
        },
        more=_SCALAR,
    )
    one["patternProperties"] = prefixed
    sets = _list(one)
    title = "Flat sets of labels (proposals H, I, J): one set that holds is enough"
    return {"title": title, "anyOf": [sets, _object(("compatibilities",), {"compatibilities": sets})]}


def _nfd() -> Schema:
    expressions = [
        _expression(_NO_VALUE, {"maxItems": 0}),
        _expression(_ONE_VALUE, {"minItems": 1, "maxItems": 1}, numbers=True),
        _expression(_TWO_VALUES, {"minItems": 2, "maxItems": 2}, numbers=True),
        _expression(_SOME_VALUES, {"minItems": 1}),
    ]
    expression: Schema = {"anyOf": expressions}
    feature = _TEXT | {"examples": [name for name in NFD_FEATURES if name != "rule.matched"]}
    term = _object(
        ("feature",),
        {
            "feature": feature,
            "matchExpressions": {"type": "object", "additionalProperties": expression},
            "matchName": expression,
        },
        more=False,
    )
    terms = _list(term)
    any_of = _list(_object(("matchFeatures",), {"matchFeatures": terms}, more=False))
    rule = _object(("name",), {"name": _TEXT, "matchFeatures": terms, "matchAny": any_of})
    one = _object(
        ("rules",),
        {"rules": _list(rule), "weight": {"type": "integer"}, "tag": _TEXT, "description": _TEXT},
        more=False,
    )
    title = "Node Feature Discovery image compatibility, v1alpha1"
    return {"title": title, **_object(("compatibilities",), {"version": _TEXT, "compatibilities": _list(one)})}


def _expression(ops: tuple[Op, ...], count: Schema, *, numbers: bool = False) -> Schema:
    item: Schema = {"type": ["string", "number"]} if numbers else _SCALAR
    properties: dict[str, Schema] = {
        "op": {"enum": list(ops)},
        "value": {"type": "array", "items": item, **count},
        "type": {"enum": ["", "version"]},
    }
    return _object(("op",) if Op.ANY not in ops else (), properties, more=False)


def _annotations() -> Schema:
    return {"title": "Annotations (proposal A): what an image is", "minProperties": 1, **_ATTRIBUTES}


def _relations() -> Schema:
    ids = _list(_TEXT)
    condition = {"enum": ["allOf", "oneOf", "noneOf"]}
    target: Schema = {
        "type": "object",
        "required": ["condition"],
        "properties": {"compatibilities": ids, "compatibilties": ids, "condition": condition},
        "anyOf": [{"required": ["compatibilities"]}, {"required": ["compatibilties"]}],
    }
    edge = _object(("from", "to"), {"from": _TEXT, "to": target})
    graphs = {"type": "object", "additionalProperties": _object(("edges",), {"edges": _list(edge)})}
    criterion = _object(("graphs",), {"graphs": ids, "condition": {"enum": ["allOf", "oneOf"]}})
    compatibilities = _list(_object(("id",), {"id": _TEXT, "domain": _TEXT, "attributes": _ATTRIBUTES}))
    relations = _object((), {"graphs": graphs, "validationCriteria": _list(criterion)})
    spec = {
        "type": "object",
        "properties": {
            "compatibilities": compatibilities,
            "compatibilties": compatibilities | {"description": "the draft's misspelling"},
            "relations": relations,
        },
        "anyOf": [{"required": ["compatibilities"]}, {"required": ["compatibilties"]}],
    }
    return {"title": "Relations (proposal B): graphs of needs", **_object(("spec",), {"spec": spec})}


def _namespaces() -> Schema:
    return {
        "title": "Namespaces (proposal C): keys below reverse domain names",
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": _GROUP_NAME},
        "additionalProperties": _GROUP,
    }


def _compatibility_spec() -> Schema:
    one = {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": _TEXT,
            "version": _SCALAR,
            "schema": _TEXT,
            "annotations": _ATTRIBUTES,
            "attributes": _ATTRIBUTES | {"description": "compspec's word for annotations"},
        },
    }
    properties = {
        "version": _SCALAR,
        "kind": {"const": "CompatibilitySpec"},
        "metadata": {"type": "object"},
        "compatibilities": _list(one),
    }
    return {"title": "CompatibilitySpec (proposal D, compspec)", **_object(("compatibilities",), properties)}


def _features() -> Schema:
    return {"title": "Features (proposal E): CPU features that are all needed", **_list(_TEXT, 1), "maxItems": 256}


def _groups() -> Schema:
    groups = {"type": "object", "additionalProperties": _GROUP}
    return {"title": "Groups (proposal F)", **_object(("compatibilities",), {"compatibilities": groups})}


def _platform() -> Schema:
    properties: dict[str, Schema] = {
        **dict.fromkeys(("os", "architecture", "variant", "os.version"), _TEXT),
        "os.features": _list(_TEXT),
        "features": _list(_TEXT) | {"maxItems": 256},
    }
    return {"title": "The platform of an index entry", **_object(("os", "architecture"), properties)}


SCHEMAS: Final[Mapping[str, Callable[[], Schema]]] = {
    "annotations": _annotations,
    "compatibility-spec": _compatibility_spec,
    "features": _features,
    "flat-sets": _flat_sets,
    "groups": _groups,
    "namespaces": _namespaces,
    "nfd": _nfd,
    "platform": _platform,
    "relations": _relations,
}
"""Dialect → what makes its schema."""
