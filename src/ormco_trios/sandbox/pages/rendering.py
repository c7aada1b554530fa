"""The pages a person sees, made from the templates, which escape every value.

The wording is the sandbox's own.  Forms work without scripts; every input has a label.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from ormco_trios.core.extras import extra
from ormco_trios.sandbox.world.world import World

if TYPE_CHECKING:
    import jinja2

SITES = {"communicate": "3Shape Communicate", "portal": "OrmcoDigital", "sandbox": "Sandbox"}
"""What is at the head of a page, by the name of its colours."""


class JourneyFailed(RuntimeError):
    """The pages did not lead to the application's address.

    Attributes:
        status: HTTP status of the page where the journey ended.
        explain: The sandbox's explanation, if it gave one.
    """

    def __init__(self, status: int, explain: str) -> None:
        super().__init__(f"The journey ended on a page with status {status}. {explain}".strip())
        self.status = status
        self.explain = explain


@functools.cache
def _templates() -> jinja2.Environment:
    # An extra, and slow to import: only who looks at a page pays for it.
    with extra("sandbox"):
        import jinja2
    return jinja2.Environment(
        loader=jinja2.PackageLoader("ormco_trios.sandbox.pages"),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(
    world: World, template: str, title: str, *, site: str = "communicate", **values: object
) -> str:
    """A page.

    Args:
        world: Whose page it is.
        template: Its name without ``.html``.
        title: Of the page; also its heading.
        site: One of `SITES`.
        values: What the template shows.
    """
    page = _templates().get_template(f"{template}.html")
    start = world.page_address("/")
    return page.render(title=title, site=site, site_name=SITES[site], start=start, **values)


def problem(world: World, status: int, message: str) -> str:
    """Something was refused or failed."""
    return render(world, "problem", f"Error {status}", site="sandbox", error=message)
