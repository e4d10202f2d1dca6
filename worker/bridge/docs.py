"""`/docs`: the document for people, by a script that comes from elsewhere and so is kept away from the page.

The page at `/` is of the same site, and a browser sends its cookie along. Whoever changes what that address serves
could act as the visitor. So `/docs` is sandboxed: to the browser it is of no site, has no cookie, and cannot read
what any other address answers, but for the document itself, which is for everybody.
"""

from fastapi import FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import JSONResponse

DOCUMENT = "/openapi.json"
_FROM = "https://cdn.jsdelivr.net/npm/"
_HEADERS = {
    "Content-Security-Policy": "sandbox allow-scripts allow-popups; default-src 'none'; connect-src 'self'; "
    f"script-src {_FROM} 'unsafe-inline'; style-src {_FROM} 'unsafe-inline'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def install(app: FastAPI) -> None:
    """Serve the document, and what shows it."""

    def document(_: Request) -> Response:
        return JSONResponse(app.openapi(), headers={"Access-Control-Allow-Origin": "*"})

    def shown(_: Request) -> Response:
        answer = get_swagger_ui_html(
            openapi_url=DOCUMENT, title=app.title, swagger_favicon_url="/page-static/icon.svg"
        )
        answer.headers.update(_HEADERS)
        return answer

    app.add_route(DOCUMENT, document, include_in_schema=False)
    app.add_route("/docs", shown, include_in_schema=False)
