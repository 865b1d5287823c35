"""Reading raw stretches on a real broker: what cannot be unpacked, and places that lie far apart."""

from collections import Counter

from pipelines.broker import headers_of, records
from pipelines.replay.selection import ByPlace, Place
from pipelines.replay.tally import ViewTally
from tests.support.replay_scene import Scene
from tests.support.unreadable import publish_a_bomb, through
from tests.support.waiting import CALL_S


def test_a_batch_that_nobody_can_read_is_counted_and_passed_over(scene: Scene) -> None:
    house = scene.house
    house.publish([house.ping(number) for number in range(4)], partition=0)
    publish_a_bomb(house, 0)
    house.publish([house.ping(number) for number in range(4)], partition=0)
    through(house)
    outcome = scene.replay(again=True).execute()
    assert outcome.tally.lost == 4
    assert outcome.tally.views[house.handled] == ViewTally(events_in=8, out=8)


def test_places_that_lie_apart_are_found_each_and_nothing_between_them(
    scene: Scene,
) -> None:
    house = scene.house
    house.publish([house.ping(number) for number in range(90)])
    scene.relay()
    wanted = {(0, 0), (0, 1), (0, 12), (1, 29), (2, 7), (2, 28)}
    noted_ms = scene.all_time().until_ms
    places = {place: Place((house.handled,), noted_ms) for place in wanted}
    gone = {(0, 30): Place((house.loose,), noted_ms), (7, 0): Place((house.loose,), noted_ms)}
    outcome = scene.replay(ByPlace({**places, **gone}, scene.since_ms, far=3), again=True).execute()
    assert outcome.tally.views[house.handled] == ViewTally(events_in=6, out=6)
    assert outcome.tally.views[house.loose] == ViewTally(events_in=2, expired=2)
    ids = Counter(dict(headers_of(message))["ce_id"] for message in records(house.cluster, house.handled))
    assert Counter(ids.values()) == {1: 84, 2: 6}


def test_an_event_is_found_though_nothing_is_there_where_the_place_before_it_points(
    scene: Scene,
) -> None:
    house = scene.house
    house.publish([house.ping(1)], partition=0)
    producer = house.cluster.producer(**{"transactional.id": f"aborts-{house.source}"})
    producer.init_transactions(CALL_S)
    producer.begin_transaction()
    for number in range(5):
        producer.produce(house.raw_topic, house.ping(number), partition=0)
    producer.flush(30)
    producer.abort_transaction(CALL_S)
    house.publish([house.ping(2), house.ping(3)], partition=0)
    scene.relay()
    noted_ms = scene.all_time().until_ms
    places = {(0, offset): Place((house.handled,), noted_ms) for offset in (1, 7)}
    outcome = scene.replay(ByPlace(places, scene.since_ms, far=3), again=True).execute()
    assert outcome.tally.views[house.handled] == ViewTally(events_in=1, out=1)


def test_a_record_that_came_after_its_note_is_another_one_and_left_alone(scene: Scene) -> None:
    house = scene.house
    house.publish([house.ping(1)], partition=0)
    scene.relay()
    long_ago = ByPlace({(0, 0): Place((house.handled,), scene.since_ms - 3_600_000)}, 0)
    assert scene.replay(long_ago, again=True).execute().tally.taken == 0
