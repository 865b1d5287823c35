"""Signing: what a reviewer does by hand with the digest that `pipelines review` prints, for contracts that tests make.

Never part of the product: a command that signs would be run without reading what it signs.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from pipelines.contract import digest_of, load
from pipelines.contract.model import Contract
from pipelines.contract.pipeline_reviews import reviews_of, topic_digest


def sign(folder: Path, *, as_of: date) -> Path:
    """Give every review in a folder that has a contract the digest of what its purpose receives now."""
    contract = load(folder, as_of=as_of).contract
    return folder if contract is None else sign_as(folder, contract)


def sign_as(folder: Path, contract: Contract) -> Path:
    """Give every review in a folder that was loaded as this contract the digest of what it covers now."""
    digests = {name: digest_of(contract, name) for name in contract.purposes}
    digests |= {subject: topic_digest(contract, subject) for subject in contract.pipeline_topics}
    for name, review in reviews_of(contract):
        if review.covers:
            place = review.covers_position
            file = folder / place.file
            lines = file.read_text().split("\n")
            before, after = lines[place.line - 1][: place.column - 1], lines[place.line - 1][place.column - 1 :]
            lines[place.line - 1] = before + after.replace(review.covers, digests[name], 1)
            file.write_text("\n".join(lines))
    return folder
