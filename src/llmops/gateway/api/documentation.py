"""The control plane's documentation as one self-contained page, written from its OpenAPI description.

The framework's own page loads its program from somebody else's server: blank in a closed network, and a stranger's code
beside an administrator's keys. This one has no script at all, and its policy allows none.
"""

from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from starlette.requests import Request

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem }
details { border: 1px solid #8886; border-radius: 6px; margin: .5rem 0; padding: .5rem .8rem }
summary { cursor: pointer } code { font: 14px ui-monospace, monospace }
.method { display: inline-block; min-width: 4.2rem; font-weight: 600 }
table { border-collapse: collapse; margin: .6rem 0; width: 100% }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #8884; vertical-align: top }
"""


def add_documentation(app: FastAPI, roles: dict[tuple[str, str], str]) -> None:
    """Serve the page at ``/docs``. ``roles`` is the least role by method and path."""

    async def documentation(_request: Request) -> HTMLResponse:
        return HTMLResponse(page(app.openapi(), roles), headers={"content-security-policy": _POLICY})

    app.add_route("/docs", documentation, include_in_schema=False)


def page(description: dict[str, Any], roles: dict[tuple[str, str], str]) -> str:
    """The HTML of an OpenAPI description; every word of it is escaped."""
    schemas = description.get("components", {}).get("schemas", {})
    groups: dict[str, list[str]] = {}
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            role = roles.get((method.upper(), path), "")
            group = groups.setdefault(operation.get("tags", ["other"])[0], [])
            group.append(_operation(method.upper(), path, operation, role, schemas))
    body = "".join(f"<h2>{escape(name)}</h2>{''.join(entries)}" for name, entries in groups.items())
    title = escape(description["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style><h1>{title} {escape(description['info']['version'])}</h1>"
        "<p>Fields with * are required. Send a key as <code>Authorization: Bearer sk-…</code>. While there is no key, "
        "this machine needs none. "
        'For programs: <a href="/openapi.json">openapi.json</a>.</p>'
        f"{body}</html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any], role: str, schemas: dict[str, Any]) -> str:
    fields = [
        (each["name"], each["in"], each.get("required", False), each.get("schema", {}))
        for each in operation.get("parameters", [])
    ]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    model = _resolve(body, schemas)
    required = model.get("required", [])
    fields += [(name, "body", name in required, kind) for name, kind in model.get("properties", {}).items()]
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code>{'*' if needed else ''}<td>{escape(where)}"
        f"<td>{escape(_kind(kind, schemas))}"
        f"<td>{escape(kind.get('description', ''))}"
        for name, where, needed, kind in fields
    )
    table = f"<table><tr><th>field<th>in<th>type<th>meaning{rows}</table>" if rows else "<p>Takes nothing.</p>"
    return (
        f'<details open><summary><span class="method">{method}</span><code>{escape(path)}</code> '
        f"— {escape(operation.get('summary', ''))}</summary><p>Least role: <b>{escape(role)}</b></p>{table}</details>"
    )


def _kind(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    """A field's type in a few words."""
    schema = _resolve(schema, schemas)
    if "anyOf" in schema:
        return " or ".join(_kind(each, schemas) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}), schemas)}"
    return str(schema.get("format") or schema.get("type") or "any")


def _resolve(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schemas.get(schema.get("$ref", "").rsplit("/", 1)[-1], schema)
    return found
