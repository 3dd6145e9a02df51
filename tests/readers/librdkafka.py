"""Reads topics from their beginning to their present end by librdkafka's consumer.

librdkafka.py BOOTSTRAP DIRECTORY TOPIC...: the records of TOPIC go to DIRECTORY/TOPIC, in the form
that Tool.java writes and read.rs reads.
"""

import pathlib
import struct
import sys
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

SILENCE_MAX_S = 30


def main(bootstrap, directory, *topics):
    # The first error goes out through poll; what librdkafka logs besides helps to understand it.
    consumer = Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": "reads-once",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "check.crcs": True,
    })
    partitions = [
        TopicPartition(topic, partition, OFFSET_BEGINNING)
        for topic in topics
        for partition in consumer.list_topics(topic, SILENCE_MAX_S).topics[topic].partitions
    ]
    files = {topic: open(pathlib.Path(directory, topic), "wb") for topic in topics}
    open_ended = {(partition.topic, partition.partition) for partition in partitions}
    consumer.assign(partitions)
    heard = time.monotonic()
    while open_ended:
        messages = consumer.consume(1000, 0.1)
        if messages:
            heard = time.monotonic()
        elif time.monotonic() > heard + SILENCE_MAX_S:
            sys.exit(f"no record for {SILENCE_MAX_S} s; not at their end: {sorted(open_ended)}")
        for message in messages:
            error = message.error()
            if error is None:
                files[message.topic()].write(encoded(message))
            elif error.code() == KafkaError._PARTITION_EOF:
                open_ended.discard((message.topic(), message.partition()))
            else:
                place = (message.topic(), message.partition(), message.offset())
                sys.exit(f"{place}: {error}")
    consumer.close()
    for file in files.values():
        file.close()


def encoded(message):
    headers = message.headers() or []
    fields = [
        struct.pack(">iqq", message.partition(), message.offset(), message.timestamp()[1]),
        sized(message.key()),
        sized(message.value()),
        struct.pack(">i", len(headers)),
    ]
    for name, value in headers:
        fields += [sized(name.encode()), sized(value)]
    return b"".join(fields)


def sized(data):
    return struct.pack(">i", -1) if data is None else struct.pack(">i", len(data)) + data


main(*sys.argv[1:])
