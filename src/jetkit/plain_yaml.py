"""YAML whose words mean what they say: ``no`` is text, ``1e3`` a number, a repeated key an error."""

from __future__ import annotations

import re
from typing import Any

import yaml


class PlainYAML(yaml.SafeLoader):
    """YAML loader without implicit surprises: a word is text unless it is a number, ``true``, ``false`` or ``null``."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - where add_implicit_resolver, below, writes

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse aliases, since a few of them can expand ten lines of text into a billion values."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases (*name) are not read", mark)
        return super().compose_node(parent, index)

    def number(self, node: yaml.Node) -> int | float:
        """Return an int if the number is integral and was written without a point or with an exponent."""
        text = str(self.construct_scalar(node)).replace("_", "").lower()  # type: ignore[arg-type]
        try:
            if re.fullmatch(r"[-+]?[0-9]+", text):
                return int(text)
            value = float(re.sub(r"\.(inf|nan)", r"\1", text))
        except ValueError:
            raise yaml.constructor.ConstructorError(None, None, "not a number", node.start_mark) from None
        return int(value) if "e" in text and value.is_integer() else value

    def truth(self, node: yaml.Node) -> bool:
        """Return True for the word true."""
        return str(self.construct_scalar(node)).lower() == "true"  # type: ignore[arg-type]

    def mapping(self, node: yaml.Node) -> dict[Any, Any]:
        """Return a mapping, with each key a word or a number that appears once."""
        if not isinstance(node, yaml.MappingNode):
            raise yaml.constructor.ConstructorError(None, None, "not a mapping", node.start_mark)
        values: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str | int | float):
                raise yaml.constructor.ConstructorError(None, None, "a key should be a word", key_node.start_mark)
            if key in values:
                problem = f"the key {str(key)[:60]!r} is given twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            values[key] = self.construct_object(value_node, deep=True)
        return values


_TAG = "tag:yaml.org,2002:"
_NUMBER = r"[-+]?(\.[0-9][0-9_]*|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
PlainYAML.add_implicit_resolver(_TAG + "float", re.compile(f"^(?:{_NUMBER})$"), list("-+0123456789."))
PlainYAML.add_implicit_resolver(_TAG + "bool", re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
PlainYAML.add_implicit_resolver(_TAG + "null", re.compile("^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
PlainYAML.yaml_constructors = {
    _TAG + "float": PlainYAML.number,
    _TAG + "bool": PlainYAML.truth,
    _TAG + "null": lambda reader, node: None,
    _TAG + "str": yaml.SafeLoader.construct_yaml_str,
    _TAG + "seq": yaml.SafeLoader.construct_yaml_seq,
    _TAG + "map": PlainYAML.mapping,
    None: yaml.SafeLoader.construct_undefined,
}
