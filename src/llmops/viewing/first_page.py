"""The first page by its name: Streamlit knows it at ``/`` alone, and would say that ``/overview`` does not exist."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route


def first_page(name: str) -> Route:
    """Leads from ``/name`` to ``/`` with the address's filters, under any prefix."""

    async def lead(request: Request) -> Response:
        query = request.url.query
        return RedirectResponse(f"./?{query}" if query else "./", 307)

    return Route(f"/{name}", lead, methods=["GET", "HEAD"])
