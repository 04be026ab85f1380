"""Write the manifest's types, and what its reader checks, from its JSON Schema.

`python web_demo/manifest_types.py` writes the files of `texts`, with which a test compares them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ganexport.manifest import Manifest

OUTPUT = Path(__file__).parent / "src" / "lib"
FOR_PEOPLE = {"title", "description", "default"}
HEAD = "// Written by web_demo/manifest_types.py from the JSON Schema of ganexport.json. Do not edit.\n"


def texts() -> dict[str, str]:
    """Text of each generated file of `src/lib`, by its name."""
    schema = Manifest.model_json_schema()
    plain = json.dumps(_plain(schema), indent=1)
    return {"manifest.generated.ts": _types(schema), "manifest.schema.generated.json": f"{plain}\n"}


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without what is said to people, so that it is small."""
    kept = {}
    for key, item in schema.items():
        if key in {"$defs", "properties"}:
            kept[key] = {name: _plain(value) for name, value in item.items()}
        elif key not in FOR_PEOPLE:
            items = [_plain(one) if isinstance(one, dict) else one for one in item] if isinstance(item, list) else item
            kept[key] = _plain(item) if isinstance(item, dict) else items
    return kept


def _types(schema: dict[str, Any]) -> str:
    objects = {**schema.get("$defs", {}), schema["title"]: schema}
    return HEAD + "".join(_interface(name, item) for name, item in objects.items())


def _interface(name: str, schema: dict[str, Any]) -> str:
    lines = [*_comment(schema, ""), f"export interface {name} {{"]
    for field, item in schema["properties"].items():
        # Python writes every field, also those that it would not ask for.
        optional = "" if field in schema.get("required", ()) or "default" in item else "?"
        lines += [*_comment(item, "  "), f"  readonly {field}{optional}: {_type(item)};"]
    if schema.get("additionalProperties"):
        lines.append("  readonly [field: string]: unknown;")
    return "\n" + "\n".join([*lines, "}"]) + "\n"


def _comment(schema: dict[str, Any], indent: str) -> list[str]:
    if "description" not in schema:
        return []
    first, *more = schema["description"].split("\n")
    if not more:
        return [f"{indent}/** {first} */"]
    return [f"{indent}/**", *(f"{indent} * {line}".rstrip() for line in [first, *more]), f"{indent} */"]


def _type(schema: dict[str, Any]) -> str:
    """TypeScript's name for a JSON Schema."""
    match schema:
        case {"$ref": str(reference)}:
            name = reference.rsplit("/", 1)[1]
        case {"const": value}:
            name = _quoted(value)
        case {"enum": values}:
            name = " | ".join(_quoted(value) for value in values)
        case {"anyOf": items}:
            name = " | ".join(_type(item) for item in items)
        case {"type": "array", "prefixItems": items}:
            name = f"readonly [{', '.join(_type(item) for item in items)}]"
        case {"type": "array", "items": item}:
            name = f"readonly ({_type(item)})[]" if " " in _type(item) else f"readonly {_type(item)}[]"
        case {"type": "object"}:
            name = _record(schema)
        case {"type": "string" | "boolean" | "null" as plain}:
            name = plain
        case {"type": "integer" | "number"}:
            name = "number"
        case _:
            name = "unknown"
    return name


def _record(schema: dict[str, Any]) -> str:
    values = schema.get("additionalProperties")
    value = _type(values) if isinstance(values, dict) else "unknown"
    names = schema.get("propertyNames", {}).get("enum")
    if names:
        return f"{{ readonly [name in {' | '.join(_quoted(name) for name in names)}]?: {value} }}"
    return f"{{ readonly [name: string]: {value} }}"


def _quoted(value: str | int) -> str:
    return repr(value) if isinstance(value, int) else f"'{value}'"


if __name__ == "__main__":
    for name, text in texts().items():
        (OUTPUT / name).write_text(text, encoding="utf-8")
