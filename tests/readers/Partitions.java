import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.stream.Collectors;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;

/**
 * The partitions that Java's producer gives to keys: Partitions FILE COUNT... reads one key in hex from each line of
 * FILE, and answers with a line of its partitions in topics of so many.
 */
public final class Partitions {
    public static void main(String[] arguments) throws IOException {
        int[] counts = Arrays.stream(arguments).skip(1).mapToInt(Integer::parseInt).toArray();
        StringBuilder answer = new StringBuilder();
        for (String line : Files.readAllLines(Path.of(arguments[0]))) {
            byte[] key = HexFormat.of().parseHex(line);
            answer.append(Arrays.stream(counts)
                    .mapToObj(count -> Integer.toString(BuiltInPartitioner.partitionForKey(key, count)))
                    .collect(Collectors.joining(" ", "", "\n")));
        }
        System.out.print(answer);
    }
}
