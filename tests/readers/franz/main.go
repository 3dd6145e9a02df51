// Reads topics from their beginning to their present end by franz-go's consumer.
//
// franz BOOTSTRAP DIRECTORY TOPIC...: the records of TOPIC go to DIRECTORY/TOPIC, in the form that
// Tool.java writes and read.rs reads.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const silenceMax = 30 * time.Second

func main() {
	log.SetFlags(0)
	bootstrap, directory, topics := os.Args[1], os.Args[2], os.Args[3:]
	if err := read(strings.Split(bootstrap, ","), directory, topics); err != nil {
		log.Fatal(err)
	}
}

func read(bootstrap []string, directory string, topics []string) error {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap...),
		kgo.ConsumeTopics(topics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	left, err := ends(client, topics)
	if err != nil {
		return err
	}
	files := map[string]*bufio.Writer{}
	for _, topic := range topics {
		file, err := os.Create(filepath.Join(directory, topic))
		if err != nil {
			return err
		}
		defer file.Close()
		files[topic] = bufio.NewWriter(file)
	}
	for len(left) > 0 {
		fetches, err := poll(client)
		if err != nil {
			return fmt.Errorf("%w; not at their end: %v", err, left)
		}
		for _, record := range fetches.Records() {
			if _, err := files[record.Topic].Write(encoded(record)); err != nil {
				return err
			}
			at := place{record.Topic, record.Partition}
			if record.Offset+1 >= left[at] {
				delete(left, at)
			}
		}
	}
	for _, file := range files {
		if err := file.Flush(); err != nil {
			return err
		}
	}
	return nil
}

type place struct {
	topic     string
	partition int32
}

// The next offset of each partition that holds records.
func ends(client *kgo.Client, topics []string) (map[place]int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), silenceMax)
	defer cancel()
	listed, err := kadm.NewClient(client).ListEndOffsets(ctx, topics...)
	if err == nil {
		err = listed.Error()
	}
	found := map[place]int64{}
	listed.Each(func(end kadm.ListedOffset) {
		if end.Offset > 0 {
			found[place{end.Topic, end.Partition}] = end.Offset
		}
	})
	return found, err
}

func poll(client *kgo.Client) (kgo.Fetches, error) {
	ctx, cancel := context.WithTimeout(context.Background(), silenceMax)
	defer cancel()
	fetches := client.PollFetches(ctx)
	for _, failed := range fetches.Errors() {
		return nil, fmt.Errorf("%s %d: %w", failed.Topic, failed.Partition, failed.Err)
	}
	return fetches, nil
}

func encoded(record *kgo.Record) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(record.Partition))
	out = binary.BigEndian.AppendUint64(out, uint64(record.Offset))
	out = binary.BigEndian.AppendUint64(out, uint64(record.Timestamp.UnixMilli()))
	out = appendSized(out, record.Key)
	out = appendSized(out, record.Value)
	out = binary.BigEndian.AppendUint32(out, uint32(len(record.Headers)))
	for _, header := range record.Headers {
		out = appendSized(out, []byte(header.Key))
		out = appendSized(out, header.Value)
	}
	return out
}

// The length, which is -1 for nil, and the bytes.
func appendSized(out, bytes []byte) []byte {
	length := int32(len(bytes))
	if bytes == nil {
		length = -1
	}
	return append(binary.BigEndian.AppendUint32(out, uint32(length)), bytes...)
}
