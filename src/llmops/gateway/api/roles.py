"""Roles on routes: a parameter of type `Viewer`, `Editor` or `Admin` names the least role that may use the route.

A route without one stops the building. Public is only what describes the control plane to a browser, which cannot send
a key and learns nothing of anybody's.
"""

from collections.abc import Callable, Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Route

from ...identity.key import Role
from ..access import Access, Caller

_MARK = "least_role"
PUBLIC = frozenset({"/docs", "/openapi.json"})


def least(role: Role) -> Callable[[Request], Caller]:
    """A dependency that gives the caller, or refuses whoever has less than ``role``."""

    def caller(request: Request) -> Caller:
        access: Access = request.app.state.access
        return access.caller(request.scope, role)

    setattr(caller, _MARK, role)
    return caller


def anybody(request: Request) -> Caller:
    """Whoever has a key of any role; of one for calls, its tenant's."""
    access: Access = request.app.state.access
    key = access.any_key(request.scope)
    if key is None:
        return Caller("admin", None)
    return Caller(key.role, None if key.role == "admin" else key.tenant, key)


setattr(anybody, _MARK, "caller")

Anybody = Annotated[Caller, Depends(anybody)]
Viewer = Annotated[Caller, Depends(least("viewer"))]
Editor = Annotated[Caller, Depends(least("editor"))]
Admin = Annotated[Caller, Depends(least("admin"))]


def least_role(route: APIRoute) -> Role | None:
    """The role that a route names; None when it names none."""
    for dependency in route.dependant.dependencies:
        role: Role | None = getattr(dependency.call, _MARK, None)
        if role is not None:
            return role
    return None


def roles_of(app: FastAPI) -> dict[tuple[str, str], str]:
    """The least role by method and path."""
    found: dict[tuple[str, str], str] = {}
    for route in routes_of(app):
        if isinstance(route, APIRoute) and (role := least_role(route)) is not None:
            found.update({(method, route.path): role for method in route.methods or ()})
    return found


def check_all_guarded(app: FastAPI) -> None:
    """Raise `RuntimeError` for a route that forgets its role: denied by default means that none may."""
    for route in routes_of(app):
        if isinstance(route, APIRoute) and least_role(route) is not None:
            continue
        path = getattr(route, "path", None)
        if not (isinstance(route, Route) and path in PUBLIC):
            raise RuntimeError(f"the route {path or route!r} names no role")


def routes_of(router: FastAPI | APIRouter) -> Iterator[BaseRoute]:
    """All routes, also those of included routers, which newer FastAPI keeps as they are instead of copying them."""
    for route in router.routes:
        included = getattr(route, "original_router", None)
        if isinstance(included, APIRouter):
            yield from routes_of(included)
        else:
            yield route
