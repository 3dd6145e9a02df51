import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.DataOutputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.ElectionNotNeededException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Admin calls and reading back for the tests, many in one JVM: each line of standard input is a command, its words
 * separated by tabs. Answered are lines that start with "=", then one that starts with "ok" or "error".
 */
public final class Tool {
    private static final Duration LIMIT = Duration.ofSeconds(30);

    private final String bootstrap;
    private Admin admin;

    private Tool(String bootstrap) {
        this.bootstrap = bootstrap;
        admin = connect();
    }

    private Admin connect() {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("request.timeout.ms", "5000");
        properties.put("default.api.timeout.ms", "10000");
        return Admin.create(properties);
    }

    public static void main(String[] arguments) throws IOException {
        Tool tool = new Tool(arguments[0]);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            List<String> words = Arrays.asList(line.split("\t", -1));
            String end = "ok";
            try {
                for (Object answer : tool.execute(words.get(0), words.subList(1, words.size()))) {
                    System.out.println("=" + answer);
                }
            } catch (Exception e) {
                Throwable cause = e instanceof ExecutionException ? e.getCause() : e;
                end = "error " + cause.toString().replace('\n', ' ');
            }
            System.out.println(end);
            System.out.flush();
        }
        // A consumer or admin client that waits for a dead broker is not worth waiting for.
        Runtime.getRuntime().halt(0);
    }

    private List<?> execute(String command, List<String> words) throws Exception {
        switch (command) {
            case "create":
                return create(words);
            case "delete":
                admin.deleteTopics(words).all().get();
                return List.of();
            case "grow":
                NewPartitions grown = NewPartitions.increaseTo(Integer.parseInt(words.get(1)));
                admin.createPartitions(Map.of(words.get(0), grown)).all().get();
                return awaitLeaders(words.get(0), Integer.parseInt(words.get(1)));
            case "leader":
                return List.of(leader(describe(words.get(0)).get(Integer.parseInt(words.get(1)))));
            case "in-sync":
                return ids(describe(words.get(0)).get(Integer.parseInt(words.get(1))).isr());
            case "move":
                return move(new TopicPartition(words.get(0), Integer.parseInt(words.get(1))),
                        Integer.parseInt(words.get(2)));
            case "alter":
                return alter(ConfigResource.Type.valueOf(words.get(0)), words.get(1), words.subList(2, words.size()));
            case "allow":
                return allow(words);
            case "quota":
                return quota(words);
            case "scram":
                return scram(words.get(0), words.get(1));
            case "committed":
                return committed(words.get(0));
            case "feature":
                var features = admin.describeFeatures().featureMetadata().get().finalizedFeatures();
                var level = features.get(words.get(0));
                return List.of(level == null ? 0 : level.maxVersionLevel());
            case "read":
                return List.of(read(words.get(0), words.get(1), words.get(2)));
            default:
                throw new IllegalArgumentException("no such command: " + command);
        }
    }

    private List<?> create(List<String> words) throws Exception {
        String name = words.get(0);
        int partitions = Integer.parseInt(words.get(1));
        NewTopic topic = new NewTopic(name, partitions, Short.parseShort(words.get(2)));
        Map<String, String> configs = new HashMap<>();
        for (String config : words.subList(3, words.size())) {
            configs.put(config.split("=", 2)[0], config.split("=", 2)[1]);
        }
        admin.createTopics(List.of(topic.configs(configs))).all().get();
        return awaitLeaders(name, partitions);
    }

    private List<?> awaitLeaders(String topic, int partitions) throws Exception {
        await("all partitions of " + topic + " have a leader", () -> {
            List<TopicPartitionInfo> described = describe(topic);
            return described.size() == partitions && described.stream().allMatch(partition -> leader(partition) >= 0);
        });
        // A broker tells that it leads before it does, so the leaders are asked, until they answer.
        Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
        for (int partition = 0; partition < partitions; partition++) {
            ends.put(new TopicPartition(topic, partition), OffsetSpec.latest());
        }
        await("the leaders of " + topic + " answer", () -> admin.listOffsets(ends).all().get() != null);
        return List.of();
    }

    /** A client that has taken to a node which does not answer, a paused one, does not always leave it by itself. */
    private List<TopicPartitionInfo> describe(String topic) throws Exception {
        long start = System.nanoTime();
        while (true) {
            try {
                return describeOnce(topic);
            } catch (ExecutionException e) {
                boolean timedOut = e.getCause() instanceof org.apache.kafka.common.errors.TimeoutException;
                if (!timedOut || System.nanoTime() - start > LIMIT.toNanos()) {
                    throw e;
                }
                admin.close(Duration.ZERO);
                admin = connect();
            }
        }
    }

    private List<TopicPartitionInfo> describeOnce(String topic) throws Exception {
        return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions();
    }

    private static int leader(TopicPartitionInfo partition) {
        return partition.leader() == null ? -1 : partition.leader().id();
    }

    private static List<Integer> ids(List<Node> nodes) {
        List<Integer> ids = new ArrayList<>();
        nodes.forEach(node -> ids.add(node.id()));
        return ids;
    }

    private List<?> move(TopicPartition partition, int wanted) throws Exception {
        List<Integer> replicas = ids(describe(partition.topic()).get(partition.partition()).replicas());
        if (!replicas.remove(Integer.valueOf(wanted))) {
            throw new IllegalArgumentException("node " + wanted + " has no replica of " + partition);
        }
        replicas.add(0, wanted);
        var reassignment = Optional.of(new NewPartitionReassignment(replicas));
        admin.alterPartitionReassignments(Map.of(partition, reassignment)).all().get();
        await(partition + " is reassigned",
                () -> admin.listPartitionReassignments(Set.of(partition)).reassignments().get().isEmpty());
        var elected = admin.electLeaders(ElectionType.PREFERRED, Set.of(partition)).partitions().get().get(partition);
        if (elected.isPresent() && !(elected.get() instanceof ElectionNotNeededException)) {
            throw new IllegalStateException(elected.get());
        }
        await("node " + wanted + " leads " + partition,
                () -> leader(describe(partition.topic()).get(partition.partition())) == wanted);
        return List.of();
    }

    private List<?> alter(ConfigResource.Type type, String name, List<String> configs) throws Exception {
        List<AlterConfigOp> operations = new ArrayList<>();
        for (String config : configs) {
            String[] pair = config.split("=", 2);
            operations.add(new AlterConfigOp(new ConfigEntry(pair[0], pair[1]), AlterConfigOp.OpType.SET));
        }
        admin.incrementalAlterConfigs(Map.of(new ConfigResource(type, name), operations)).all().get();
        return List.of();
    }

    private List<?> allow(List<String> words) throws Exception {
        var operation = AclOperation.valueOf(words.get(1));
        var resource = new ResourcePattern(ResourceType.valueOf(words.get(2)), words.get(3), PatternType.LITERAL);
        var entry = new AccessControlEntry(words.get(0), "*", operation, AclPermissionType.ALLOW);
        admin.createAcls(List.of(new AclBinding(resource, entry))).all().get();
        return List.of();
    }

    private List<?> quota(List<String> words) throws Exception {
        var entity = new ClientQuotaEntity(Map.of(words.get(0), words.get(1)));
        Double value = words.get(3).isEmpty() ? null : Double.valueOf(words.get(3));
        var operation = new ClientQuotaAlteration.Op(words.get(2), value);
        admin.alterClientQuotas(List.of(new ClientQuotaAlteration(entity, List.of(operation)))).all().get();
        return List.of();
    }

    private List<?> scram(String user, String password) throws Exception {
        // Kafka takes one alteration for each user of a request.
        for (var mechanism : List.of(ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512)) {
            var upsertion = new UserScramCredentialUpsertion(user, new ScramCredentialInfo(mechanism, 4096), password);
            admin.alterUserScramCredentials(List.of(upsertion)).all().get();
        }
        return List.of();
    }

    private List<?> committed(String group) throws Exception {
        List<String> lines = new ArrayList<>();
        var offsets = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        offsets.forEach((partition, offset) -> lines.add(
                partition.topic() + "\t" + partition.partition() + "\t" + offset.offset()));
        return lines;
    }

    /** Writes all records that the topic holds now to a file, see read.rs; answers how many. */
    private long read(String topic, String isolation, String file) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("isolation.level", isolation);
        properties.put("enable.auto.commit", "false");
        properties.put("max.poll.records", "100000");
        properties.put("default.api.timeout.ms", String.valueOf(LIMIT.toMillis()));
        var bytes = new ByteArrayDeserializer();
        long count = 0;
        try (var out = new DataOutputStream(new BufferedOutputStream(new FileOutputStream(file), 1 << 20));
                var consumer = new KafkaConsumer<>(properties, bytes, bytes)) {
            List<TopicPartition> partitions = new ArrayList<>();
            consumer.partitionsFor(topic).forEach(info -> partitions.add(new TopicPartition(topic, info.partition())));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            long last = System.nanoTime();
            while (partitions.stream().anyMatch(partition -> consumer.position(partition) < ends.get(partition))) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    if (record.offset() < ends.get(new TopicPartition(topic, record.partition()))) {
                        write(out, record);
                        count++;
                    }
                    last = System.nanoTime();
                }
                if (System.nanoTime() - last > LIMIT.toNanos()) {
                    throw new TimeoutException("no record for " + LIMIT + " after " + count + " records");
                }
            }
        }
        return count;
    }

    private static void write(DataOutputStream out, ConsumerRecord<byte[], byte[]> record) throws IOException {
        out.writeInt(record.partition());
        out.writeLong(record.offset());
        out.writeLong(record.timestamp());
        write(out, record.key());
        write(out, record.value());
        Header[] headers = record.headers().toArray();
        out.writeInt(headers.length);
        for (Header header : headers) {
            write(out, header.key().getBytes(StandardCharsets.UTF_8));
            write(out, header.value());
        }
    }

    private static void write(DataOutputStream out, byte[] bytes) throws IOException {
        out.writeInt(bytes == null ? -1 : bytes.length);
        if (bytes != null) {
            out.write(bytes);
        }
    }

    private static void await(String what, Callable<Boolean> condition) throws Exception {
        long start = System.nanoTime();
        while (!holds(condition)) {
            if (System.nanoTime() - start > LIMIT.toNanos()) {
                throw new TimeoutException("waited " + LIMIT + " in vain until " + what);
            }
            Thread.sleep(20);
        }
    }

    /** A topic that was just created is not known to every broker at once. */
    private static boolean holds(Callable<Boolean> condition) throws Exception {
        try {
            return condition.call();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof UnknownTopicOrPartitionException) {
                return false;
            }
            throw e;
        }
    }
}
