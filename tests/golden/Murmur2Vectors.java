import java.util.HexFormat;
import java.util.Random;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.utils.Utils;

/**
 * Writes murmur2.txt with Kafka's own code:
 * java -cp 'LIB/*' tests/golden/Murmur2Vectors.java > tests/golden/murmur2.txt
 */
public class Murmur2Vectors {
    public static void main(String[] args) {
        System.out.println("# key in hex (- is empty), murmur2 of it, its partition of 12; by kafka-clients 4.3.1");
        Random random = new Random(2);
        for (int length = 0; length <= 64; length++) {
            byte[] ascii = new byte[length];
            byte[] high = new byte[length];
            for (int i = 0; i < length; i++) {
                ascii[i] = (byte) ('a' + (i + length) % 26);
                high[i] = (byte) (0xff - i);
            }
            print(ascii);
            print(high);
            for (int i = 0; i < 2; i++) {
                byte[] any = new byte[length];
                random.nextBytes(any);
                print(any);
            }
        }
    }

    private static void print(byte[] key) {
        String hex = key.length == 0 ? "-" : HexFormat.of().formatHex(key);
        int hash = Utils.murmur2(key);
        int partition = BuiltInPartitioner.partitionForKey(key, 12);
        if (partition != Utils.toPositive(hash) % 12) throw new AssertionError(hex);
        System.out.println(hex + " " + hash + " " + partition);
    }
}
