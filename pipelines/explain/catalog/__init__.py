"""The catalog: documents made from the contract, a page for each topic's consumers and event type's producers.

Pages depend on the contract alone: no clock, no chance, no key that is a secret. The same contract gives the same
bytes, so committed pages can be checked. Whoever adds to a page adds to `page`'s values, and both formats have it.
"""

from __future__ import annotations

from pipelines.contract.building import Under
from pipelines.contract.model import Contract
from pipelines.explain.catalog.as_html import as_html
from pipelines.explain.catalog.as_markdown import as_markdown
from pipelines.explain.catalog.deployment import Deployment
from pipelines.explain.catalog.event_page import event_page
from pipelines.explain.catalog.example import example
from pipelines.explain.catalog.index_page import index_page
from pipelines.explain.catalog.page import MARK, Format, Page
from pipelines.explain.catalog.topic_page import topic_page
from pipelines.explain.catalog.writing import Kept, differences, write


def pages(contract: Contract, under: Under | None = None) -> tuple[Page, ...]:
    """All pages, the index first; `under` names the overlay that is in the contract, if there is one."""
    here = Deployment.of(contract, under)
    examples = {name: example(contract, event) for name, event in sorted(contract.events.items())}
    topics = [topic_page(contract, topic, examples, here) for _, topic in sorted(contract.topics.items())]
    events = [event_page(contract, event, examples[name], here) for name, event in sorted(contract.events.items())]
    return (index_page(contract, here), *topics, *events)


def texts(contract: Contract, form: Format, under: Under | None = None) -> dict[str, str]:
    """All pages in a format: path in the catalog's folder → text."""
    render = {"md": as_markdown, "html": as_html}[form]
    return {f"{page.name}.{form}": render(page) for page in pages(contract, under)}


__all__ = ["MARK", "Format", "Kept", "Page", "differences", "pages", "texts", "write"]
