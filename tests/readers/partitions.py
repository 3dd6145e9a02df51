"""The partitions that librdkafka's producer gives to keys, as the broker confirms them.

partitions.py BOOTSTRAP TOPIC FILE PARTITIONER...: for each partitioner, one line with the
partitions of the keys in FILE, of which each line has one in hex; then one with those of records
with the same key, one for an empty key and one for none, so far apart that stickiness is over.
"""

import sys
import time

from confluent_kafka import Producer

REPEATS = 10
APART_S = 0.025
LIMIT_S = 60


def main(bootstrap, topic, file, *partitioners):
    with open(file) as lines:
        keys = [bytes.fromhex(line.strip()) for line in lines]
    for partitioner in partitioners:
        producer = Producer({"bootstrap.servers": bootstrap, "partitioner": partitioner})
        print(*partitions(producer, topic, keys))
        for key in (b"always the same", b"", None):
            print(*partitions(producer, topic, [key] * REPEATS, APART_S))


def partitions(producer, topic, keys, apart_s=0):
    found = [None] * len(keys)

    def confirm(at):
        def confirmed(error, message):
            if error is not None:
                sys.exit(f"key {at}: {error}")
            found[at] = message.partition()
        return confirmed

    for at, key in enumerate(keys):
        producer.produce(topic, key=key, value=b"v", on_delivery=confirm(at))
        producer.poll(0)
        time.sleep(apart_s)
    left = producer.flush(LIMIT_S)
    if left or None in found:
        sys.exit(f"{left} records were not confirmed within {LIMIT_S} s")
    return found


main(*sys.argv[1:])
