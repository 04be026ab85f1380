"""Write `src/lib/manifest.generated.ts`: the manifest's types, from its JSON Schema.

`python web_demo/manifest_types.py` writes the file; `types_text` is what a test compares it with.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganexport.manifest import Manifest

OUTPUT = Path(__file__).parent / "src" / "lib" / "manifest.generated.ts"
HEAD = "// Written by web_demo/manifest_types.py from the JSON Schema of ganexport.json. Do not edit.\n"


def types_text() -> str:
    """The whole of `manifest.generated.ts`."""
    schema = Manifest.model_json_schema()
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
    OUTPUT.write_text(types_text(), encoding="utf-8")
