"""Gold values as Java and JavaScript source text, the form in which those categories' arguments arrive.

The inverse of bfcl-eval 2026.3.23's `ast_eval/type_convertor`: what is written here is read back as
the same value. Its Java array reader keeps the quotes of strings, so strings in arrays have none.
"""

from typing import Any


def literal(value: Any, parameter: dict[str, Any], language: str) -> Any:
    """A gold value as source text of its documented type; strings stay as they are.

    Args:
        value: the gold value.
        parameter: its documentation ({"type", "items"?}).
        language: "java" or "javascript"; "python" returns the value itself.
    """
    if language == "python" or isinstance(value, str):
        return value
    kind, nested = parameter["type"], (parameter.get("items") or {}).get("type")
    return _java(value, kind, nested) if language == "java" else _javascript(value, kind)


def _java(value: Any, kind: str, nested: str | None) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        if kind == "Array":
            return "new Object[]{" + ", ".join(_java(item, nested or "", None) for item in value) + "}"
        items = ", ".join(_java(_quoted(item), nested or "", None) for item in value)
        return f"new ArrayList<>(Arrays.asList({items}))"
    if isinstance(value, dict):
        puts = " ".join(f'put("{key}", {_java(_quoted(item), "", None)});' for key, item in value.items())
        return f"new HashMap<String, Object>() {{{{ {puts} }}}}"
    return f"{value}{ {'long': 'L', 'float': 'f'}.get(kind, '') }"


def _javascript(value: Any, kind: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(_javascript(_quoted(item), "") for item in value) + "]"
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{key}: {_javascript(_quoted(item), '')}" for key, item in value.items()) + "}"
        )
    return f"{value}n" if kind == "Bigint" else str(value)


def _quoted(value: Any) -> Any:
    return f'"{value}"' if isinstance(value, str) else value
