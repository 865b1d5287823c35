"""The checks of the accounts: books, topics, metrics and quarantine must all tell the same story."""

from __future__ import annotations

from collections import Counter

from pipelines.demo.evidence import Evidence
from pipelines.relay.accounting import flows

Finding = tuple[str, list[str]]
Counts = Counter[tuple[str, str]]


def balances(evidence: Evidence) -> Finding:
    """In = out + quarantined + expired + suspended, in every partition for every view, and no view is missing."""
    known = {(raw_topic, topic) for (raw_topic, _), book in evidence.books.items() for topic in book.views}
    wanted = {(event.raw_topic, view.topic) for event in evidence.contract.events.values() for view in event.views}
    events_in = sum(book.events_in for book in evidence.books.values())
    looked = f"{events_in:,} in = out + quarantined + expired + suspended, in each of {len(known)} views"
    wrong = [
        f"{topic}/{partition} is off for {view}"
        for (topic, partition), book in evidence.books.items()
        for view in book.imbalances()
    ]
    # A raw topic without an event has no books.
    wrong += [f"no books of {raw} for {topic}" for raw, topic in sorted(wanted - known) if evidence.raw.records[raw]]
    return looked, wrong if events_in else ["the books are empty"]


def agrees(evidence: Evidence) -> Finding:
    """Each topic holds as many records as the books say went in or out."""
    books_in: Counter[str] = Counter()
    for (raw_topic, _), book in evidence.books.items():
        books_in[raw_topic] += book.events_in + book.gap
    books_out: Counter[str] = Counter()
    for views in flows(evidence.books).values():
        for topic, flow in views.items():
            books_out[topic] += flow.out
    raw, out = evidence.raw.records, evidence.out.records
    pairs = [(topic, books_in[topic], raw[topic]) for topic in sorted(books_in | raw)]
    pairs += [(topic, books_out[topic], out[topic]) for topic in sorted(books_out | out)]
    wrong = [f"{topic} holds {held:,}, the books say {said:,}" for topic, said, held in pairs if said != held]
    looked = f"{raw.total():,} raw and {out.total():,} minimized records"
    return looked, wrong if raw.total() and out.total() else ["there is no record"]


def metrics_agree(evidence: Evidence) -> Finding:
    """The workers' counters, summed over the workers, are the books' figures."""
    wrong, told = [], 0
    for name, said in _figures(evidence).items():
        counted = evidence.metrics.get(name, Counter())
        told += len(counted)
        wrong += [
            f"{name} of {' '.join(filter(None, labels))} is {counted[labels]:,}, not {said[labels]:,}"
            for labels in sorted(said | counted)
            if counted[labels] != said[labels]
        ]
    return f"{told} counters of the workers", wrong if told else ["the metrics hold no counter of a worker"]


def noted(evidence: Evidence) -> Finding:
    """Quarantine names each event that was made faulty, no other, and as many views as the books do."""
    out, faults, known = evidence.out, evidence.sent.faults, flows(evidence.books)
    named = Counter({topic: len(coordinates) for topic, coordinates in out.noted.items()})
    # A view that was not shown every event (late ones, a review that ended) cannot note every fault.
    partial = {raw for raw, views in known.items() if any(flow.expired or flow.suspended for flow in views.values())}
    wrong = [
        f"{named[topic]:,} events of {topic} noted, {faults.get(topic, 0):,} planted"
        for topic in sorted({*named, *faults})
        if named[topic] > faults.get(topic, 0) or (named[topic] < faults.get(topic, 0) and topic not in partial)
    ]
    wrong += [
        f"{notes:,} notes of {raw} for {topic}, but {flow.quarantined:,} in the books"
        for raw, views in known.items()
        for topic, flow in views.items()
        for notes in [out.notes[raw, None] + out.notes[raw, topic]]
        if notes != flow.quarantined and raw not in partial
    ]
    if out.unreadable_notes:
        wrong.append(f"{out.unreadable_notes:,} records of quarantine are not notes")
    planted = sum(faults.values())
    looked = f"{named.total():,} events noted, {planted:,} planted" if planted else "no fault planted, none noted"
    return looked, wrong


def _figures(evidence: Evidence) -> dict[str, Counts]:
    """What the books say each counter must be, by (raw topic, minimized topic)."""
    events_in, gap = Counts(), Counts()
    for (raw_topic, _), book in evidence.books.items():
        events_in[raw_topic, ""] += book.events_in
        gap[raw_topic, ""] += book.gap
    out, expired, suspended, quarantined = Counts(), Counts(), Counts(), Counts()
    for raw_topic, views in flows(evidence.books).items():
        for topic, flow in views.items():
            out[raw_topic, topic] += flow.out
            expired[raw_topic, topic] += flow.expired
            suspended[raw_topic, topic] += flow.suspended
    # This one counts notes, not views: quarantine itself has been held against the books.
    for (raw_topic, _), count in evidence.out.notes.items():
        quarantined[raw_topic, ""] += count
    return {
        "pipelines_events_in": events_in,
        "pipelines_records_out": out,
        "pipelines_events_quarantined": quarantined,
        "pipelines_events_expired": expired,
        "pipelines_events_suspended": suspended,
        "pipelines_offsets_gap": gap,
    }
